import threading

import pytest

from retention.refresh import plan


def test_every_notebook_needs_the_tables_and_the_summary_needs_all():
    assert plan.tasks(["00_data", "20_survival", "99_summary"]) == {
        "tables": set(),
        "00_data": {"tables"},
        "20_survival": {"tables"},
        "99_summary": {"tables", "00_data", "20_survival"},
    }


@pytest.mark.parametrize("jobs", [1, 2])
def test_nothing_starts_before_what_it_needs(jobs):
    needs = {"c": {"a", "b"}, "a": set(), "b": {"a"}, "d": set()}
    done, lock = [], threading.Lock()

    def work(name):
        with lock:
            assert needs[name] <= set(done)
            done.append(name)

    plan.run(needs, work, jobs)

    assert sorted(done) == ["a", "b", "c", "d"]


def test_two_jobs_run_side_by_side():
    together = threading.Barrier(2, timeout=10)

    plan.run({"a": set(), "b": set()}, lambda name: together.wait(), jobs=2)


def test_after_a_failure_nothing_new_starts_and_the_error_is_raised():
    started = []

    def work(name):
        started.append(name)
        if name == "a":
            raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        plan.run({"a": set(), "b": {"a"}, "c": {"b"}}, work, jobs=2)
    assert started == ["a"]
