"""Friction: where in life customers drop off, and which cohort drops off most.

Read from the published cells of "active since" alone, so that nothing hidden can come back.
"""

import numpy as np
import polars as pl
from scipy.stats import norm

from retention.stats import rank_tests
from retention.stats.intervals import wilson

OF_LIFE = ("age", "n_at_risk", "n_left", "drop_off", "ci_lower", "ci_upper")
COMPARED = {
    "cohort_by": pl.String,
    "cohort": pl.String,
    "age": pl.Int64,
    "n": pl.Int64,
    "gone": pl.Float64,
    "gone_of_others": pl.Float64,
    "difference": pl.Float64,
    "ci_lower": pl.Float64,
    "ci_upper": pl.Float64,
    "p_value": pl.Float64,
    "p_adjusted": pl.Float64,
}


def drop_off(shown: pl.DataFrame, min_cell: int, confidence: float = 0.95) -> pl.DataFrame:
    """Of those still there in one month of life, the share who are not in the next.

    Takes   the table "retention" with small cells hidden
    Returns the table "drop_off": age (the month not reached, from 1), n_at_risk (still there in the
            month before, in cohorts of which both months are shown), n_left, drop_off with Wilson's
            limits. No rows where fewer than ``min_cell`` were still there.
    """
    cells = _cells(shown).filter(pl.col("cohort_by") == "start_month")
    after = cells.select("cohort", pl.col("age") - 1, later="n_active")
    return (
        cells.join(after, on=["cohort", "age"])
        .group_by("age")
        .agg(n_at_risk=pl.col("n_active").sum(), later=pl.col("later").sum())
        .sort("age")
        .filter(pl.col("n_at_risk") >= min_cell)
        .with_columns(pl.col("age") + 1, n_left=pl.col("n_at_risk") - pl.col("later"))
        .with_columns(
            (pl.col("n_left") / pl.col("n_at_risk")).alias("drop_off"),
            *wilson("n_left", "n_at_risk", confidence),
        )
        .select(OF_LIFE)
    )


def by_cohort(shown: pl.DataFrame, ages: list[int], confidence: float = 0.95) -> pl.DataFrame:
    """How many more of a cohort have gone by an age than of all other cohorts of its division.

    Takes   as `drop_off`
    Returns the table "drop_off_by_cohort": cohort_by, cohort, age, n, gone, gone_of_others,
            difference (of shares) with limits, p_value, p_adjusted (Holm, over all rows)

    Source: Newcombe (1998), Statistics in Medicine 17:873, method 10, for the limits; the test is
    that of two proportions, pooled. Checked in tests/test_drop_off.py.
    """
    cells = _cells(shown).filter(pl.col("cohort_by") != "all", pl.col("age").is_in(ages))
    sums = {f"all_{name}": pl.col(name).sum().over("cohort_by", "age") for name in ("n", "left")}
    rows = (
        cells.with_columns(n="n_start", left=pl.col("n_start") - pl.col("n_active"))
        .with_columns(**sums)
        .with_columns(
            n_others=pl.col("all_n") - pl.col("n"), left_others=pl.col("all_left") - pl.col("left")
        )
        .filter(pl.col("n_others") > 0)
        .sort("cohort_by", "cohort", "age")
    )
    if rows.is_empty():
        return pl.DataFrame(schema=COMPARED)
    one, two = pl.col("left") / pl.col("n"), pl.col("left_others") / pl.col("n_others")
    lower, upper = wilson("left", "n", confidence)
    lower_others, upper_others = wilson("left_others", "n_others", confidence)
    together = pl.col("all_left") / pl.col("all_n")
    error = (together * (1 - together) * (1 / pl.col("n") + 1 / pl.col("n_others"))).sqrt()
    found = rows.select(
        "cohort_by",
        "cohort",
        "age",
        "n",
        gone=one,
        gone_of_others=two,
        difference=one - two,
        ci_lower=one - two - ((one - lower) ** 2 + (upper_others - two) ** 2).sqrt(),
        ci_upper=one - two + ((upper - one) ** 2 + (two - lower_others) ** 2).sqrt(),
        z=pl.when(error > 0).then((one - two) / error).otherwise(0.0),
    )
    p_value = 2 * norm.sf(np.abs(found["z"].to_numpy()))
    adjusted = rank_tests.holm(p_value)
    return found.drop("z").with_columns(p_value=p_value, p_adjusted=adjusted).cast(COMPARED)


def _cells(shown: pl.DataFrame) -> pl.DataFrame:
    """The months of "active since" that are shown."""
    chosen = (pl.col("definition") == "active since") & (pl.col("unit") == "month")
    return shown.filter(chosen).drop_nulls("n_active")


def steepest(life: pl.DataFrame) -> dict:
    """Where in life most drop off, as a finding."""
    name = "steepest_drop_off"
    if life.is_empty():
        return {"name": name, "sentence": "No cohort is old enough to see where it drops off."}
    age, n, _, share, *ci = life.sort("drop_off", "age", descending=[True, False]).row(0)
    sentence = (
        "They drop off most between month {before} and month {age} of their life: {value} of the "
        "{n} still there in the one are not in the other ({ci})."
    )
    figures = {"value": share, "ci": tuple(ci), "unit": "share", "n": n}
    return {"name": name, "sentence": sentence, "before": age - 1, "age": age} | figures


def headline(life: pl.DataFrame) -> str:
    """Where in life most drop off, as a title."""
    if life.is_empty():
        return "No cohort is old enough"
    age, _, _, share, *_ = life.sort("drop_off", "age", descending=[True, False]).row(0)
    return f"Most are lost before month {age} of life: {share:.0%} of those still there"


def compared_headline(compared: pl.DataFrame, confidence: float = 0.95) -> str:
    """How many cohorts drop off more, or less, than others beyond chance, as a title."""
    clear = compared.filter(pl.col("p_adjusted") < 1 - confidence).sort("cohort_by", "cohort")
    more, less = (
        clear.filter(way).select("cohort_by", "cohort").n_unique()
        for way in (pl.col("difference") > 0, pl.col("difference") < 0)
    )
    if not more + less:
        return "No cohort drops off more or less than the others beyond chance"
    return f"Beyond chance, {more} cohorts drop off more than the others, {less} less"


def worst(compared: pl.DataFrame, confidence: float = 0.95) -> dict:
    """The cohort that drops off most by more than chance, as a finding."""
    name = "cohort_that_drops_off_most"
    clear = compared.filter(pl.col("p_adjusted") < 1 - confidence, pl.col("difference") > 0).sort(
        "difference", "cohort_by", "cohort", "age", descending=[True, False, False, False]
    )
    if clear.is_empty():
        said = "No cohort drops off more than the others by more than chance would make."
        return {"name": name, "sentence": said}
    row = clear.row(0, named=True)
    sentence = (
        "{cohort} (by {by}) drops off most: by month {age}, {gone} points more of its {n} "
        "customers have gone than of the others, {value} against {others}."
    )
    return {
        "name": name,
        "sentence": sentence,
        "value": row["gone"],
        "unit": "share",
        "cohort": row["cohort"],
        "by": row["cohort_by"].replace("_", " "),
        "age": row["age"],
        "n": row["n"],
        "gone": f"{100 * row['difference']:.1f}",
        "others": f"{row['gone_of_others']:.1%}",
    }


def clearest(compared: pl.DataFrame, most: int = 8) -> pl.DataFrame:
    """The ``most`` differences that chance explains worst, the largest first, with a label."""
    kept = compared.sort("p_adjusted", "cohort_by", "cohort", "age").head(most)
    label = pl.format("{}, by month {}", "cohort", "age")
    return kept.with_columns(label=label).sort("difference", "label", descending=[True, False])


OF_LIFE_MEANS = (
    "Of those in month N of life still there without a break since the start (active since), "
    "the share who are not in month N + 1. Cohorts of which both months are shown, added up."
)
DEFINITION = (
    "Gone is who is not in month N of life without a break since the start (active since). Each "
    "cohort against all others of the same division that reached the age; difference in shares "
    "with limits after Newcombe, p adjusted after Holm over all cohorts and ages. Cohorts differ "
    "in more than their name: a difference is no proof of a cause."
)
