"""The order of tasks: what each needs, runs that are planned late, how far a failure spreads."""

import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retention_runner import build, plan
from retention_runner.errors import Refused


def run(needs, work, jobs=2):
    with ThreadPoolExecutor(jobs) as pool:
        current = needs if callable(needs) else lambda: needs
        return build.run_all(current, work, pool)


def needs_of(tmp_path, *stems, segments=None):
    """What the tasks of notebooks need; those called segment are run for each of ``segments``."""

    def known(folder):
        if segments is None:
            raise FileNotFoundError
        return dict.fromkeys(segments, "a name")

    workbook = SimpleNamespace(
        needs={"60_value": {"tables", "30_groups"}, "99_summary": {"*"}},
        per_segment={"tables", "30_groups"},
        segments=known,
    )
    by_segment = [stem for stem in stems if "segment" in stem]
    job = SimpleNamespace(workbook=workbook, parameters=dict.fromkeys(stems), by_segment=by_segment)
    return plan.tasks(job, tmp_path)


def test_every_notebook_needs_the_tables_and_what_the_workbook_says(tmp_path):
    needs = needs_of(tmp_path, "00_data", "30_groups", "60_value", "95_segment", "99_summary")
    own = {
        "tables": set(),
        "00_data": {"tables"},
        "30_groups": {"tables"},
        "60_value": {"tables", "30_groups"},
        "95_segment": {"tables", "30_groups"},
        "99_summary": {"tables", "00_data", "30_groups", "60_value", "95_segment"},
    }
    assert needs == own | {"pages": {*own}}


def test_a_notebook_is_replaced_by_its_runs_for_whoever_needs_it_in_order(tmp_path):
    stems = ("30_groups", "95_segment", "99_summary")
    needs = needs_of(tmp_path, *stems, segments=["s10", "s2", "s1"])
    runs = ["95_segment-s1", "95_segment-s2", "95_segment-s10"]
    assert list(needs) == ["tables", "30_groups", *runs, "99_summary", "pages"]
    assert needs["95_segment-s2"] == {"tables", "30_groups"}
    assert needs["99_summary"] == {"tables", "30_groups", *runs}
    assert "95_segment" not in needs_of(tmp_path, *stems, segments=[])["99_summary"]


def test_a_notebook_that_needs_one_which_is_not_there_is_refused(tmp_path):
    with pytest.raises(Refused, match="60_value needs 30_groups, which is not among the"):
        needs_of(tmp_path, "60_value")


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


def test_runs_are_begun_once_they_are_known():
    done = []

    def work(name, needed):
        done.append(name)
        return True

    def needs():
        runs = [f"segment-{n}" for n in range(50)] if "clusters" in done else ["segment"]
        segments = {run: {"clusters"} for run in runs}
        return {"clusters": set(), "slow": set(), **segments, "summary": {*runs}}

    assert run(needs, work) == set()
    assert len(done) == 53
    assert done[-1] == "summary"


def test_what_no_task_foresaw_is_raised():
    def work(name, needed):
        raise KeyError(name)

    with pytest.raises(KeyError):
        run({"a": set()}, work)
