"""Which tasks a refresh has, what each needs, and running them in that order."""

from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from graphlib import TopologicalSorter

# Needs by task; a task that is not named here needs the tables alone. "*" = every other task.
NEEDS = {"tables": set(), "99_summary": {"*"}}


def tasks(notebooks: Iterable[str]) -> dict[str, set[str]]:
    """Every task with the tasks it needs: the tables, and one task per notebook."""
    names = {"tables", *notebooks}
    needs = {name: NEEDS.get(name, {"tables"}) for name in names}
    return {name: names - {name} if needed == {"*"} else needed for name, needed in needs.items()}


def run(needs: dict[str, set[str]], work: Callable[[str], None], jobs: int) -> None:
    """Call ``work(task)`` for every task once all it needs are done, ``jobs`` at a time.

    The first exception ends the run: what is running finishes, nothing new starts, and it is
    raised.
    """
    order = TopologicalSorter({name: sorted(needs[name]) for name in sorted(needs)})
    order.prepare()
    running = {}
    with ThreadPoolExecutor(jobs) as pool:
        while order.is_active():
            running |= {pool.submit(work, name): name for name in sorted(order.get_ready())}
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            try:
                for future in done:
                    future.result()
                    order.done(running.pop(future))
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise
