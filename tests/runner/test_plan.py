"""The order of tasks: what each needs, runs that are planned late, how far a failure spreads."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retention.errors import Refused
from retention_runner import plan


def run(needs, work=lambda name, needed: True, jobs=2, later=None, seconds=None):
    with ThreadPoolExecutor(jobs) as pool:
        return plan.run(needs, work, pool, later or {}, seconds or {})


def test_every_notebook_needs_the_tables_and_the_summary_needs_all():
    assert plan.tasks(["00_data", "10_customers", "30_clusters", "95_segment", "99_summary"]) == {
        "tables": set(),
        "00_data": {"tables"},
        "10_customers": {"tables"},
        "30_clusters": {"tables"},
        "95_segment": {"tables", "10_customers", "30_clusters"},
        "99_summary": {"tables", "00_data", "10_customers", "30_clusters", "95_segment"},
    }


def test_value_needs_the_segments_and_the_risk():
    needs = plan.tasks(["30_clusters", "50_risk", "60_value"])
    assert needs["60_value"] == {"tables", "30_clusters", "50_risk"}


def test_a_notebook_that_needs_one_which_is_not_there_is_refused():
    with pytest.raises(Refused, match="95_segment needs 10_customers, which is not among the"):
        plan.tasks(["30_clusters", "95_segment"])


def test_a_task_is_replaced_by_its_runs_for_whoever_needs_it():
    needs = {"a": set(), "b": {"a"}, "c": {"a", "b"}, "d": {"a"}}

    assert plan.expanded(needs, "b", ["b-1", "b-2"]) == {
        "a": set(),
        "b-1": {"a"},
        "b-2": {"a"},
        "c": {"a", "b-1", "b-2"},
        "d": {"a"},
    }
    assert plan.expanded(needs, "b", []) == {"a": set(), "c": {"a"}, "d": {"a"}}


@given(
    links=st.sets(st.tuples(st.integers(0, 7), st.integers(0, 7))),
    bad=st.sets(st.integers(0, 7)),
    jobs=st.integers(1, 3),
)
def test_what_runs_is_what_no_failure_stands_before_and_in_order(links, bad, jobs):
    needs = {str(n): {str(a) for a, b in links if b == n and a < b} for n in range(8)}
    begun, done, lock = [], set(), threading.Lock()

    def work(name, needed):
        with lock:
            assert needed == needs[name] <= done
            begun.append(name)
            good = int(name) not in bad
            done.update({name} if good else ())
        return good

    skipped = run(needs, work, jobs)

    expected = set()
    for n in range(8):  # needs point to smaller numbers only
        if needs[str(n)] & (expected | {str(m) for m in bad}):
            expected.add(str(n))
    assert skipped == expected
    assert sorted(begun) == sorted(needs.keys() - skipped)


def test_two_jobs_run_side_by_side():
    together = threading.Barrier(2, timeout=10)

    run({"a": set(), "b": set()}, lambda name, needed: together.wait() >= 0)


def test_what_took_longest_comes_first_and_the_unknown_before_it():
    order = []

    def work(name, needed):
        order.append(name)
        return True

    run({name: set() for name in "abcd"}, work, 1, seconds={"a": 1, "b": 3, "c": 2})

    assert order == ["d", "b", "c", "a"]


def test_runs_are_planned_once_all_they_need_is_done():
    done = []

    def work(name, needed):
        done.append(name)
        return True

    def planned():
        assert set(done) >= {"clusters"}
        return [f"segment-{n}" for n in range(50)]

    needs = {"clusters": set(), "slow": set(), "segment": {"clusters"}, "summary": {"segment"}}
    skipped = run(needs, work, later={"segment": planned})

    assert skipped == set()
    assert len(done) == 53
    assert done[-1] == "summary"


def test_runs_that_cannot_be_planned_are_skipped_with_all_that_need_them():
    def never():
        raise AssertionError

    needs = {"clusters": set(), "other": set(), "segment": {"clusters"}, "summary": {"segment"}}
    skipped = run(needs, lambda name, needed: name != "clusters", later={"segment": never})

    assert skipped == {"segment", "summary"}


def test_what_no_task_foresaw_is_raised():
    def work(name, needed):
        raise KeyError(name)

    with pytest.raises(KeyError):
        run({"a": set()}, work)
