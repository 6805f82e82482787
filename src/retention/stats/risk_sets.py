"""Who is at risk when: known not to have left before a day, and under observation on it.

Durations, and the ``entry`` at which a row comes under observation, are counted from the same
start. A row is at risk after its entry, up to and on its duration.
"""

import numpy as np


def at(
    times: np.ndarray, durations: np.ndarray, events: np.ndarray, entry: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """How many are at risk just before, and how many end at, each of ``times``."""
    n = len(durations)
    at_risk = n - np.searchsorted(np.sort(durations), times)
    if entry is not None:
        at_risk = at_risk - (n - np.searchsorted(np.sort(entry), times))
    ends = np.sort(durations[events])
    return at_risk, np.searchsorted(ends, times, "right") - np.searchsorted(ends, times)


def begin(
    durations: np.ndarray, events: np.ndarray, entry: np.ndarray | None = None, least: int = 1
) -> int:
    """The first day from which ``least`` are at risk, after the last on which all there left.

    0 where nobody enters late; the longest duration where so many never are.
    """
    if entry is None or not (entry > 0).any():
        return 0
    times, until = np.unique(durations[events]), durations.max(initial=0)
    at_risk, ends = at(times, durations, events, entry)
    emptied = times[(at_risk == ends) & (times < until)].max(initial=0)
    days = np.unique(np.append(entry[entry >= emptied], emptied))
    there, _ = at(days + 1, durations, events, entry)
    enough = days[there >= least]
    return int(enough[0] if enough.size else until)


def since(
    day: int, durations: np.ndarray, events: np.ndarray, entry: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Durations, events and entries of those still there after ``day``, followed from it on."""
    later = durations > day
    entry = np.zeros(len(durations), dtype=int) if entry is None else entry
    return durations[later], events[later], np.maximum(entry[later], day)
