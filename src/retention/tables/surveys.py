"""Surveys as known on a day: what was asked by then, and what had been answered."""

import narwhals as nw

from retention.tables.rules import FAULT

ANSWER = ("answered_day", "score", FAULT + "score")


@nw.narwhalify
def known(surveys, day: int):
    """Surveys without the answers that came after ``day``; those sent later are left to the caller.

    Takes   surveys: customer_id, sent_day, answered_day, kind, score, with any further columns, on
            any engine
    Returns the same rows, the answer null where it came later: neither it nor a fault in it counts
    """
    later = (nw.col("answered_day") > day).fill_null(False)
    names = [name for name in surveys.collect_schema() if name in ANSWER]
    return surveys.with_columns(nw.when(~later).then(name).alias(name) for name in names)
