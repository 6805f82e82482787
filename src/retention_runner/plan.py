"""Which tasks a refresh has, what each needs, and running them in that order."""

from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Executor, wait

from retention.errors import Refused

# Needs by task; a task that is not named here needs the tables alone. "*" = every other task.
NEEDS = {
    "tables": set(),
    "60_value": {"tables", "30_clusters", "50_risk"},
    "95_segment": {"tables", "10_customers", "30_clusters"},
    "99_summary": {"*"},
}
Needs = dict[str, set[str]]


def tasks(notebooks: Iterable[str], by_segment: Iterable[str] = ()) -> Needs:
    """Every task with the tasks it needs: the tables, and one task per notebook; those that are
    run ``by_segment`` need the segments.

    Raises:
        Refused: a notebook needs one that is not there.
    """
    names = {"tables", *notebooks}
    usual = dict.fromkeys(by_segment, NEEDS["95_segment"])
    needs = {name: {"tables"} for name in ("tables", *sorted(notebooks))} | usual
    needs |= {name: needed for name, needed in NEEDS.items() if name in names}
    for name, needed in needs.items():
        if missing := sorted(needed - names - {"*"}):
            raise Refused(f"{name} needs {missing[0]}, which is not among the notebooks")
    return {name: names - {name} if needed == {"*"} else needed for name, needed in needs.items()}


def expanded(needs: Needs, name: str, runs: Iterable[str]) -> Needs:
    """``needs`` with the task ``name`` replaced by its ``runs``, for whoever needs it as well."""
    runs = list(runs)
    others = {
        task: (needed - {name}).union(runs) if name in needed else needed
        for task, needed in needs.items()
        if task != name
    }
    return others | dict.fromkeys(runs, needs[name])


def run(
    needs: Needs,
    work: Callable[[str, set[str]], bool],
    pool: Executor,
    later: dict[str, Callable[[], list[str]]],
    seconds: dict[str, float],
) -> set[str]:
    """Call ``work(task, needed)`` in ``pool`` for every task once all it needs are done; gives the
    skipped.

    ``work`` tells whether the task was done; what needs one that was not is skipped, all else goes
    on. ``later`` gives the runs by which a task is replaced once all it needs are done.
    ``seconds`` are what tasks took before: the longest, and the unknown, come first.
    """
    ended, good, running = set(), set(), {}
    while True:
        for name in [name for name in later.keys() & needs.keys() if needs[name] <= good]:
            needs = expanded(needs, name, later[name]())
        ready = {name for name in needs if needs[name] <= good and name not in later}
        ready -= ended | set(running.values())
        for name in sorted(ready, key=lambda name: (-seconds.get(name, float("inf")), name)):
            running[pool.submit(work, name, needs[name])] = name
        if not running:
            return needs.keys() - ended
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            name = running.pop(future)
            ended.add(name)
            if future.result():
                good.add(name)
