"""Do newer cohorts stay longer? The trend of retention over the month of the start, age by age."""

from functools import partial
from itertools import product

import numpy as np
import polars as pl

from retention import charts
from retention.exhibit import Exhibit, Finding
from retention.refresh import Refresh
from retention.stats import rank_tests
from retention.stats import trend as estimator

CHIEF = "active since"
COMPARED = ("active since", "bounded")  # at one age, others depend on how long cohorts were seen


def trends(retention: pl.DataFrame, ages: list[int], confidence: float = 0.95) -> pl.DataFrame:
    """How retention at fixed ages changes from one month of start to the next.

    Takes   the table "retention" before anything was hidden
    Returns one row per definition and age: definition, age, cohorts, n, slope (change of the share
            from a cohort to the next month's) with limits, p_value, dispersion, p_adjusted (Holm,
            over all rows). Only cohorts that reached the age are in; ages with fewer than three
            of them have no row.

    Unbounded retention is left out: older cohorts have had longer to come back. Checked on
    planted trends in tests/cohorts/test_trends.py.
    """
    rows = []
    for definition, age in product(COMPARED, sorted(set(ages))):
        known = _known(retention, definition, age)
        counts = (known[name].to_numpy() for name in ("n_active", "n_start", "step"))
        found = estimator.trend(*counts, confidence)
        if not np.isnan(found.slope):
            told = {"cohorts": known.height, "n": known["n_start"].sum(), **found._asdict()}
            rows.append({"definition": definition, "age": age, **told})
    table = pl.DataFrame(rows)
    if rows:
        adjusted = rank_tests.holm(table["p_value"].to_numpy())
        table = table.with_columns(p_adjusted=adjusted)
    return table


def _known(retention: pl.DataFrame, definition: str, age: int) -> pl.DataFrame:
    """Cohorts by month of the start that reached ``age``, with the month as ``step``."""
    month = pl.col("cohort").str.slice(0, 4).cast(pl.Int64) * 12
    month += pl.col("cohort").str.slice(5, 2).cast(pl.Int64)
    chosen = retention.filter(definition=definition, unit="month", cohort_by="start_month", age=age)
    return chosen.drop_nulls("n_active").sort("cohort").with_columns(step=month)


def trend(r: Refresh, retention: pl.DataFrame, ages: list[int]) -> Exhibit:
    """Whether newer cohorts stay longer, at each of ``ages``."""
    return Exhibit(
        trends(retention, ages, r.confidence),
        partial(headline, confidence=r.confidence),
        draw=partial(charts.points, label=_named, value="slope", percent=True),
        definition="The change of the share retained, in percentage points, from the cohort of one "
        "month to that of the next, at the same age; cohorts that have not wholly reached it are "
        "left out. Test of Cochran and Armitage; where cohorts scatter about the line by more than "
        "chance (dispersion above 1), interval and test allow for it. p is adjusted after Holm "
        f"over all ages and definitions; intervals hold {r.confidence:.0%} each.",
        findings=partial(_verdict, confidence=r.confidence),
        empty="No three cohorts have reached any of the ages.",
    )


def _named(row: dict) -> str:
    return f"{row['definition']}, month {row['age']}\n{row['cohorts']} cohorts, n {row['n']:,}"


def _verdict(table: pl.DataFrame, confidence: float) -> list[Finding]:
    """Whether newer cohorts stay longer. The clearest age counts, by "active since" where that can
    be compared, else by "bounded"."""
    if table.is_empty():
        return []
    chosen = table.filter(definition=CHIEF)
    chosen = chosen if chosen.height else table
    best = chosen.sort("p_adjusted", "age").row(0, named=True)
    clear = best["p_adjusted"] < 1 - confidence
    words = "longer" if best["slope"] > 0 else "less long"
    start = f"Newer cohorts stay {words}" if clear else "No steady trend from cohort to cohort"
    sentence = (
        f"{start}: at {{age}} months the share retained ({best['definition']}) changes by "
        "{value} percentage points from one month of start to the next ({ci}; {cohorts} cohorts, "
        f"p {best['p_adjusted']:.2g} after Holm over {{tests}} tests)."
    )
    limits = (100 * best["ci_lower"], 100 * best["ci_upper"])
    further = {"age": best["age"], "cohorts": best["cohorts"], "tests": table.height}
    return [Finding("trend_per_cohort", sentence, 100 * best["slope"], "points", limits, further)]


def headline(table: pl.DataFrame, confidence: float = 0.95) -> str:
    """What the chart of trends shows."""
    clear = table.filter(pl.col("p_adjusted") < 1 - confidence)["slope"].sign().unique().to_list()
    if not clear:
        return "Retention changes steadily from cohort to cohort at none of the ages"
    if len(clear) > 1:
        return "Newer cohorts are retained better at some ages, worse at others"
    return f"Newer cohorts are retained {'better' if clear[0] > 0 else 'worse'} where it is clear"
