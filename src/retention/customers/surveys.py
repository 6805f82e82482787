"""What customers say when asked, who does not answer, and what their silence may mean.

Nobody's answer is imputed: a score is that of those who answered.
"""

import polars as pl

from retention.errors import Refused, nearest
from retention.stats.intervals import net, wilson

DETRACTS, PROMOTES = 6, 9  # nps: at most, at least
SATISFIED = 4  # csat: at least
EVERYBODY = "all"
UNKNOWN = "not known"
SCORES = ("by", "group", "kind", "n_asked", "n_answered", "score", "ci_lower", "ci_upper")
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
        .group_by("customer_id", "kind", maintain_order=True)
        .last()
        .select("customer_id", "kind", answered=pl.col("answered_day").is_not_null(), score="score")
    )


def scores(
    asked: pl.DataFrame, customers: pl.DataFrame, by: list[str], confidence: float = 0.95
) -> pl.DataFrame:
    """Scores and response rates of everybody and of groups: the table "survey_scores".

    Takes   what `asked` gives; customers: customer_id and the columns ``by``, whatever they are
    Returns one row per by, group and kind, sorted: by ("all" first), group, kind, n_asked,
            n_answered, score (nps: share of promoters less that of detractors; csat: share of the
            satisfied; both times 100; of those who answered, null where nobody has), ci_lower,
            ci_upper (`net`, Wilson), share_answered, answered_lower, answered_upper (Wilson)

    Raises:
        Refused: customers have no such column.

    Checked in tests/test_surveys.py and, on planted non-response, tests/test_satisfaction.py.
    """
    place = {name: number for number, name in enumerate([EVERYBODY, *by])}
    counted = (
        _divided(asked, customers, by)
        .group_by("by", "group", "kind")
        .agg(
            n_asked=pl.len().cast(pl.Int64),
            n_answered=pl.col("answered").sum().cast(pl.Int64),
            n_scored=pl.col("score").count(),
            plus=_plus().sum().cast(pl.Int64),
            minus=_minus().sum().cast(pl.Int64),
        )
        .sort(pl.col("by").replace_strict(place), "group", "kind")
    )
    answered = [end.name.prefix("of_") for end in wilson("n_answered", "n_asked", confidence)]
    limits = [end.name.prefix("net_") for end in net("plus", "minus", "n_scored", confidence)]
    is_net = pl.col("kind") == "nps"
    share = (pl.col("plus") - pl.when(is_net).then("minus").otherwise(0)) / pl.col("n_scored")
    return (
        counted.with_columns(*answered, *limits, *wilson("plus", "n_scored", confidence))
        .with_columns(
            pl.when(is_net).then(f"net_{end}").otherwise(end).mul(100).alias(end)
            for end in ("ci_lower", "ci_upper")
        )
        .with_columns(
            score=(100 * share).fill_nan(None),
            share_answered=pl.col("n_answered") / pl.col("n_asked"),
            answered_lower="of_ci_lower",
            answered_upper="of_ci_upper",
        )
        .select(*SCORES, *ANSWERED)
    )


def by_group(
    surveys: pl.DataFrame,
    customers: pl.DataFrame,
    column: str,
    *,
    days: tuple[int, int, int],
    confidence: float = 0.95,
) -> pl.DataFrame:
    """Scores and response rates of the groups that one ``column`` makes of ``customers``.

    Takes   surveys_at; customers: customer_id, ``column``; ``days``: the snapshot, and the two
            numbers of days of `asked`
    Returns as `scores`, without the rows of everybody
    """
    own = asked(surveys, *days).join(customers.select("customer_id"), on="customer_id", how="semi")
    return scores(own, customers, [column], confidence).filter(pl.col("by") == column)


def _divided(asked: pl.DataFrame, customers: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    """``asked`` once for everybody and once for each of ``by``, with by and group."""
    for name in by:
        if name not in customers.columns:
            hint = nearest(name, customers.columns)
            raise Refused(f"survey_groups: customers have no column {name!r}{hint}")
    names = list(dict.fromkeys(by))
    known = asked.join(customers.select("customer_id", *names), on="customer_id", how="left")
    groups = {EVERYBODY: pl.lit(EVERYBODY)} | {
        name: pl.col(name).cast(pl.String).fill_null(UNKNOWN) for name in names
    }
    return pl.concat(
        known.select("kind", "answered", "score", by=pl.lit(name), group=group)
        for name, group in groups.items()
    )


def _plus() -> pl.Expr:
    """Whether an answer counts for the customer's satisfaction."""
    least = pl.when(pl.col("kind") == "nps").then(PROMOTES).otherwise(SATISFIED)
    return (pl.col("score") >= least).fill_null(False)


def _minus() -> pl.Expr:
    """Whether an answer counts against it: of nps alone."""
    return ((pl.col("kind") == "nps") & (pl.col("score") <= DETRACTS)).fill_null(False)


def silent(asked: pl.DataFrame, customers: pl.DataFrame) -> pl.DataFrame:
    """Silent detractors: who uses clearly less, was asked and has not answered.

    Takes   what `asked` gives; customers: customer_id, usage (falling or another)
    Returns one row per customer who was asked anything, sorted: customer_id, usage,
            silent_detractor (usage falls, and no answer to any of the surveys)
    """
    own = asked.group_by("customer_id", maintain_order=True).agg(spoke=pl.col("answered").any())
    falls = pl.col("usage") == "falling"
    return (
        customers.select("customer_id", "usage")
        .join(own, on="customer_id", how="inner")
        .select("customer_id", "usage", silent_detractor=falls & ~pl.col("spoke"))
        .sort("customer_id")
    )


def findings(
    scores: pl.DataFrame, silent: pl.DataFrame, min_cell: int, confidence: float = 0.95
) -> list[dict[str, object]]:
    """What is to be said of everybody, each for `findings.say`; nothing where nobody was asked.

    Takes   what `scores` gives, small cells hidden; what `silent` gives
    """
    said = [_score(row) for row in scores.filter(by=EVERYBODY).iter_rows(named=True)]
    return said + ([_silence(silent, min_cell, confidence)] if said else [])


def _score(row: dict) -> dict[str, object]:
    """Everybody's score of one kind, and how many answered."""
    kind = row["kind"]
    if row["score"] is None:
        return {"name": kind, "sentence": f"{kind.upper()}: too few answers to give a score."}
    return {
        "name": kind,
        "sentence": f"{kind.upper()}: {{value}} ({{ci}}) among the {{answered}} who answered, of "
        "{asked} asked.",
        **{"value": row["score"], "unit": "points", "ci": (row["ci_lower"], row["ci_upper"])},
        **{"answered": row["n_answered"], "asked": row["n_asked"]},
    }


def _silence(silent: pl.DataFrame, min_cell: int, confidence: float) -> dict[str, object]:
    """How many of those who use clearly less were asked and kept silent."""
    found, name = silent.filter(usage="falling"), "silent_detractors"
    n, quiet = found.height, int(found["silent_detractor"].sum())
    if min(quiet, n - quiet) < min_cell:
        words = "Too few customers whose use clearly falls were asked to say how many kept silent."
        return {"name": name, "sentence": words}
    limits = pl.DataFrame({"n": [n], "quiet": [quiet]}).select(wilson("quiet", "n", confidence))
    return {
        "name": name,
        "sentence": "Silent detractors: of {n} customers whose use clearly falls and who were "
        "asked, {value} did not answer ({ci}). What they would have said is not known.",
        **{"value": quiet / n, "unit": "share", "ci": limits.row(0), "n": n},
    }


def rates(scores: pl.DataFrame) -> pl.DataFrame:
    """Known response rates: group, kind, n (asked), share_answered, ci_lower, ci_upper."""
    limits = {"ci_lower": "answered_lower", "ci_upper": "answered_upper"}
    known = scores.drop_nulls("share_answered")
    found = known.select(_group(), "kind", "share_answered", n="n_asked", **limits)
    return found.select("group", "kind", "n", "share_answered", *limits)


def marks(scores: pl.DataFrame) -> pl.DataFrame:
    """Known scores, kind by kind: kind, group, n (who answered), score, ci_lower, ci_upper."""
    known = scores.drop_nulls("score").sort("kind", maintain_order=True)
    found = known.select("kind", _group(), "score", "ci_lower", "ci_upper", n="n_answered")
    return found.select("kind", "group", "n", "score", "ci_lower", "ci_upper")


def _group() -> pl.Expr:
    """A group with what divides it from others: "usage: falling"."""
    whole = pl.col("by") == EVERYBODY
    return pl.when(whole).then("group").otherwise(pl.format("{}: {}", "by", "group")).alias("group")


def who_answers(scores: pl.DataFrame) -> str:
    """Between which groups response rates differ clearly, in a sentence."""
    ends = _apart(scores, "share_answered", "answered_lower", "answered_upper")
    if not ends:
        return "No group is shown to answer less than another"
    few, many = (f"{row['share_answered']:.1%} where {_named(row)}" for row in ends)
    return f"{few} answer when asked, {many}"


def who_is_content(scores: pl.DataFrame) -> str:
    """Between which groups scores differ clearly, in a sentence."""
    ends = _apart(scores, "score", "ci_lower", "ci_upper")
    if not ends:
        return "No group that answered is shown to be less content than another"
    low, high = (f"{row['score']:.0f} where {_named(row)}" for row in ends)
    return f"{ends[0]['kind'].upper()} is {low}, {high}"


def _apart(scores: pl.DataFrame, value: str, lower: str, upper: str) -> tuple[dict, ...]:
    """The rows of the lowest and the highest ``value``, of the first division whose intervals of
    these do not touch; none where there is no such."""
    known = scores.drop_nulls([value, lower, upper]).sort(value, "group", maintain_order=True)
    for _, rows in known.sort("kind", descending=True, maintain_order=True).group_by(
        "by", "kind", maintain_order=True
    ):
        low, high = (rows.row(place, named=True) for place in (0, -1))
        if low[upper] < high[lower]:
            return low, high
    return ()


def _named(row: dict) -> str:
    return f"{row['by'].replace('_', ' ')} is {row['group']}"


def definition(survey_days: int, answer_days: int, confidence: float = 0.95) -> str:
    """What counts as asked, answered and a score, in words."""
    return (
        f"The latest survey of each kind that a customer was sent in the last {survey_days} days, "
        f"but for the last {answer_days}, in which an answer may still be on its way. Answered: "
        f"by the snapshot. NPS: share of scores of at least {PROMOTES} less share of at most "
        f"{DETRACTS}, of 0 to 10; CSAT: share of at least {SATISFIED}, of 1 to 5; both times 100, "
        f"of those who answered; {confidence:.0%} intervals. Groups are those of the snapshot."
    )
