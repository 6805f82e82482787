"""What customers say when asked, who does not answer, and what their silence may mean.

Nobody's answer is imputed: a score is that of those who answered.
"""

from functools import partial

import polars as pl

from retention import charts, schema
from retention.errors import Refused, nearest
from retention.exhibit import Exhibit, Finding, apart, said_of
from retention.refresh import Refresh
from retention.stats.intervals import net, share, wilson

DETRACTS, PROMOTES, SATISFIED = 6, 9, 4  # nps: at most, at least; csat: at least
EVERYBODY = "all"
UNKNOWN = "not known"
ANSWERED = ("share_answered", "answered_lower", "answered_upper")


def asked(
    surveys: pl.DataFrame, snapshot_day: int, survey_days: int, answer_days: int
) -> pl.DataFrame:
    """The latest survey of each kind that a customer was sent and had time to answer.

    Takes   surveys_at: what was known on the snapshot
    Returns one row per customer and kind, sorted: customer_id, kind, answered, score, of surveys
            sent in the last ``survey_days`` days but not in the last ``answer_days``, who would
            seem silent before they had time
    """
    sent = pl.col("sent_day")
    recent = sent.is_between(snapshot_day - survey_days + 1, snapshot_day - answer_days)
    return (
        surveys.filter(recent)
        .sort("customer_id", "kind", "sent_day")
        .unique(["customer_id", "kind"], keep="last", maintain_order=True)
        .select("customer_id", "kind", answered=pl.col("answered_day").is_not_null(), score="score")
    )


def scores(
    asked: pl.DataFrame, customers: pl.DataFrame, by: list[str], confidence: float = 0.95
) -> pl.DataFrame:
    """Scores and response rates of everybody and of groups: the table "survey_scores".

    Takes   what `asked` gives; customers: customer_id and the columns ``by``, whatever they are;
            nobody else is counted
    Returns one row per by, group and kind, sorted: by ("all" first), group, kind, n_asked,
            n_answered, score (nps: share of promoters less that of detractors; csat: share of the
            satisfied; both times 100; of those who answered, null where nobody has), ci_lower,
            ci_upper (`net`, Wilson), share_answered, answered_lower, answered_upper (Wilson)

    Raises:
        Refused: customers have no such column.

    Checked in tests/customers/test_surveys.py and, on planted non-response, in tests/demo.
    """
    if strange := [name for name in by if name not in customers.columns]:
        hint = nearest(strange[0], customers.columns)
        raise Refused(f"survey_groups: customers have no column {strange[0]!r}{hint}")
    names = [EVERYBODY, *dict.fromkeys(by)]
    groups = customers.with_columns(pl.lit(EVERYBODY).alias(EVERYBODY))
    groups = groups.select("customer_id", pl.col(names).cast(pl.String).fill_null(UNKNOWN))
    each = asked.join(groups, on="customer_id").unpivot(
        names, index=["kind", "answered", "score"], variable_name="by", value_name="level"
    )
    is_net, mark = pl.col("kind") == "nps", pl.col("score")
    counts = {
        "n_asked": pl.len(),
        "n_answered": pl.col("answered").sum(),
        "scored": mark.count(),
        "plus": (mark >= pl.when(is_net).then(PROMOTES).otherwise(SATISFIED)).sum(),
        "minus": (is_net & (mark <= DETRACTS)).sum(),
    }
    of_csat = wilson("plus", "scored", confidence)
    of_nps = net("plus", "minus", "scored", confidence)
    either = zip(of_nps, of_csat, strict=True)
    lower, upper = (100 * pl.when(is_net).then(one).otherwise(other) for one, other in either)
    score = 100 * ((pl.col("plus") - pl.col("minus")) / pl.col("scored"))
    return (
        each.group_by("by", pl.col("level").alias("group"), "kind")
        .agg(expression.cast(pl.Int64).alias(name) for name, expression in counts.items())
        .sort(pl.col("by").cast(pl.Enum(names)), "group", "kind")
        .with_columns(score.fill_nan(None).alias("score"), ci_lower=lower, ci_upper=upper)
        .with_columns(share("n_answered", "n_asked", confidence, ANSWERED))
        .drop("scored", "plus", "minus")
    )


def silent(asked: pl.DataFrame, customers: pl.DataFrame) -> pl.DataFrame:
    """Silent detractors: who uses clearly less, was asked and has not answered.

    Takes   what `asked` gives; customers: customer_id, usage (falling or another)
    Returns one row per customer who was asked anything, sorted: customer_id, usage, spoke,
            silent_detractor (usage falls, and no answer to any of the surveys)
    """
    own = asked.group_by("customer_id", maintain_order=True).agg(spoke=pl.col("answered").any())
    return (
        customers.select("customer_id", "usage")
        .join(own, on="customer_id", how="inner")
        .with_columns(silent_detractor=(pl.col("usage") == "falling") & ~pl.col("spoke"))
        .sort("customer_id")
    )


def silence(r: Refresh, silent: pl.DataFrame) -> list[Finding]:
    """How many of the customers who use clearly less were asked and did not answer.

    Takes   what `silent` gives. No finding where that is about few
    """
    falling = silent.filter(usage="falling")
    counted = falling.select(n=pl.len(), n_silent=pl.col("silent_detractor").sum())
    counted = counted.cast(pl.Int64).with_columns(share("n_silent", "n", r.confidence))
    sentence = (
        "Silent detractors: of {n} customers who clearly use less and were asked, {value} did not "
        "answer ({ci}). We do not know what they would have said."
    )
    return said_of(r.hide(counted), "silent_detractors", sentence)


def answers(r: Refresh, scores: pl.DataFrame, survey_days: int, answer_days: int) -> Exhibit:
    """Who answers when asked.

    Takes   what `scores` gives, of surveys by ``survey_days`` and ``answer_days`` (see `asked`)
    """
    return Exhibit(
        _compared(r, scores, "n_asked", ANSWERED),
        partial(_headline, value="share_answered"),
        draw=charts.comparison,
        definition="The latest survey of each kind that a customer was sent in the last "
        f"{survey_days} days, without the last {answer_days}, in which an answer may still be on "
        f"its way. Answered: by the snapshot date. {r.confidence:.0%} intervals. Groups are those "
        "of the snapshot date.",
        empty="The book has no surveys of these days, or too few.",
    )


def satisfaction(r: Refresh, scores: pl.DataFrame) -> Exhibit:
    """How content those are who answered, by kind of survey and group.

    Takes   what `scores` gives
    """
    sentence = "{kind} score: {value} ({ci}) among the {n_answered} customers who answered."
    return Exhibit(
        _compared(r, scores, "n_answered", ("score", "ci_lower", "ci_upper")),
        partial(_headline, value="score"),
        draw=charts.comparison,
        definition=f"NPS: share of scores of at least {PROMOTES} less share of at most {DETRACTS}, "
        f"of 0 to 10; CSAT: share of at least {SATISFIED}, of 1 to 5; both times 100, of those who "
        "answered. Nobody else's answer is guessed.",
        findings=lambda table: said_of(
            table.filter(group=EVERYBODY), "{kind}", sentence, "score", "points"
        ),
        empty="No score is known.",
    )


def _compared(
    r: Refresh, scores: pl.DataFrame, n: str, measure: tuple[str, str, str]
) -> pl.DataFrame:
    """What is known of a ``measure`` and its limits: group with what divides it ("Usage: falling"),
    kind, ``n``, the measure, ci_lower, ci_upper."""
    value, *limits = measure
    known = r.hide(scores, "survey_scores").drop_nulls(value)
    divided = {by: f"{schema.label(by)}: " for by in known["by"].unique()}
    named = pl.col("by").replace(divided | {EVERYBODY: "", "group": ""}) + pl.col("group")
    ends = dict(zip(("ci_lower", "ci_upper"), limits, strict=True))
    kind = pl.col("kind").str.to_uppercase()
    return known.select(named.alias("group"), kind, n, value, **ends)


def _headline(table: pl.DataFrame, value: str) -> str:
    """Between which groups of a division the ``value`` clearly differs, nps before csat."""
    division = pl.col("group").str.extract("^(.*?): ").alias("by")
    parts = table.sort("kind", descending=True, maintain_order=True)
    for (kind, _), rows in parts.group_by("kind", division, maintain_order=True):
        if found := apart(rows, "group", value):
            return f"{schema.label(value)} ({kind}) ranges {found}"
    return "No group differs clearly from another"
