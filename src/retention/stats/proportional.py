"""Hazard ratios of a design, each judged: is it the same early and late? If not, by period."""

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from scipy.stats import chi2, norm

from retention.errors import Refused
from retention.stats import by_group, cox, design
from retention.stats.design import DONE, LEAST_ENDS

LARGE = 1.25  # times as large late as early, or as small: less than that is not worth two ratios
CHANCE = 0.01  # that of a fit with proportional hazards any term is called departing, at most
WIDEST = 20.0  # standard error of a log ratio beyond which nothing is known of it
SAME, SPLIT = "none needed", "reported by period"
UNCLEAR = "too few to tell"
UNTESTED = "not testable: early or late, fewer than {} ends, fewer than {} on a side, or no fit"
HELPLESS = "none: cannot be estimated by period"
UNFITTED = "cannot be fitted: nearly separates those who left, or nearly follows from others"
JUDGED = (
    "Proportional is false where the ratio after the median end is at least "
    f"{LARGE} times that before it, or the inverse (of a number, over one standard deviation), and "
    "the interval of that change excludes 1: such a term gets a ratio for each period. It is true "
    f"where that interval lies within 1/{LARGE} and {LARGE}; else there are too few to tell. The "
    "interval is so wide that chance makes it exclude 1, for any of the terms, in "
    f"{CHANCE:.0%} of fits at most. All customers are used for it. The title names only what is "
    "clear with p-values corrected for all the ratios shown together (Holm)."
)
PARTS = dict.fromkeys(("hazard_ratio", "ci_lower", "ci_upper", "p_value"), pl.Float64)
RATIOS = {
    **dict.fromkeys(("term", "period"), pl.String),
    **dict.fromkeys(("n", "events"), pl.Int64),
    **PARTS,
    "proportional": pl.Boolean,
    "remedy": pl.String,
}
HALVES = {
    "term": pl.String,
    "middle": pl.Int64,
    **dict.fromkeys(("whole", "earlier", "later", "change", "ci_lower", "ci_upper"), pl.Float64),
    "proportional": pl.Boolean,
}


class Lives(NamedTuple):
    """How long each was followed (> 0), whether to an end, and from when (None: the start)."""

    durations: np.ndarray
    events: np.ndarray
    entry: np.ndarray | None = None


class Answer(NamedTuple):
    """``ratios`` (a row per term, or per term and period), ``halves`` (how far each term's ratio
    is the same early and late), ``done`` (what was merged or left out, and why)."""

    ratios: pl.DataFrame
    halves: pl.DataFrame
    done: pl.DataFrame


def by_cause(
    covariates: pl.DataFrame,
    observed: pl.DataFrame,
    causes: Sequence[str | None],
    confidence: float = 0.95,
    **checks,
) -> Answer:
    """`ratios` of ``covariates`` for each of ``causes`` (none: any end), other ends as censored.

    Takes   covariates; observed, in the same order: duration_days, event_observed[, entry_days]
            [, cause]; checks as `design.checked`
    Returns the three tables, each with the column cause ("any" or the one asked for) before
    """
    found, lives = [], Lives(*by_group.lives(observed))
    for cause in causes or [None]:
        ours = True if cause is None else (observed["cause"] == cause).fill_null(False).to_numpy()
        of_cause = lives._replace(events=lives.events & ours)
        tables = ratios(covariates, of_cause, confidence, **checks)
        found.append([t.select(pl.lit(cause or "any").alias("cause"), "*") for t in tables])
    return Answer(*(pl.concat(tables) for tables in zip(*found, strict=True)))


def known_causes(ends: pl.DataFrame, causes: Sequence[str | None]) -> None:
    """Refuse a cause that none of ``ends`` (cause) has, where any has one: it may be misspelt."""
    there = ends["cause"].drop_nulls().unique().sort().to_list() if any(causes) else []
    for cause in causes:
        if there and cause not in (None, *there):
            some = ", ".join(repr(name) for name in there[:10])
            raise Refused(f"nobody left by the cause {cause!r}; there are others (such as {some})")


def why_none(answer: Answer) -> str:
    """Why there are no ratios, or nothing where there are."""
    said = answer.done.select("term", "why").unique(maintain_order=True)
    reasons = "; ".join(f"{term}: {why}" for term, why in said.iter_rows())
    return f"Nothing can be estimated ({reasons})." if answer.ratios.is_empty() else ""


def ranked(table: pl.DataFrame) -> pl.DataFrame:
    """Hazard ratios of `by_cause` from the farthest from 1 to the nearest."""
    order = [pl.col("hazard_ratio").log().abs(), "cause", "term", "period"]
    return table.sort(*order, descending=[True, False, False, True])


def ratios(
    covariates: pl.DataFrame, lives: Lives, confidence: float = 0.95, *, least: int = 10, **checks
) -> Answer:
    """How many times as fast an end comes by each term of ``covariates``, others held fixed.

    Takes   covariates and ``checks`` as `design.checked`; lives in the same order
    Returns ratios: term, period ("all", or "to day" and "after day" the median end), n, events,
            hazard_ratio, ci_lower, ci_upper, p_value (Wald), proportional (null: not known),
            remedy; halves as `halves` gives them; done: term, done, why, n

    A term that departs from proportional hazards by as much as `halves` says gets a ratio for
    each period, estimated together with the others' common ones. A column that cannot be fitted
    with the others all the same is left out, and said. No rows where nothing can be, or fewer
    than ``least`` ends were seen.

    Source: Cox (1972); time-dependent effects by a step function at one time, Therneau and
    Grambsch (2000), Modeling Survival Data, section 6.5. Checked in tests/survival/test_hazards.py.
    """
    n, ends = len(lives.events), int(lives.events.sum())
    if ends < max(least, LEAST_ENDS):
        return _nothing([("every term", "not estimated", "too few customers left", n)])
    checked = design.checked(covariates, lives.durations, lives.events, least=least, **checks)
    columns, fitter, left_out = _fitted(checked.columns, lives)
    said = [*checked.done.rows(), *((term, "left out", UNFITTED, n) for term in left_out)]
    if fitter is None:
        return _nothing(said)
    whole = _table(fitter, confidence)
    judged = halves(columns, lives, least).insert_column(2, whole["hazard_ratio"].alias("whole"))
    untested = pl.when(pl.col("change").is_null()).then(pl.lit(UNTESTED.format(least, LEAST_ENDS)))
    remedy = pl.col("proportional").replace_strict(
        {True: SAME, False: HELPLESS},
        default=untested.otherwise(pl.lit(UNCLEAR)),
        return_dtype=pl.String,
    )
    table = (
        whole.with_columns(period=pl.lit("all"), n=n, events=ends)
        .join(judged.select("term", "proportional", "change"), on="term", maintain_order="left")
        .with_columns(remedy=remedy)
    )
    if not judged["proportional"].all():
        table = _by_period(table, columns, lives, judged["middle"][0], confidence)
    place = pl.col("term").replace_strict(columns.columns, range(columns.width))
    table = table.sort(place, maintain_order=True).select(*RATIOS)
    return Answer(table.cast(RATIOS), judged, pl.DataFrame(said, DONE, orient="row"))


def halves(columns: pl.DataFrame, lives: Lives, least: int = 10) -> pl.DataFrame:
    """Is the ratio of each column the same before and after the median end?

    Returns one row per column: term, middle (the median end, days), earlier and later (ratios, all
            of a half estimated together), change (later / earlier) with ci_lower and ci_upper,
            proportional: false where the change, of a number over one standard deviation, is
            LARGE or more, or 1 / LARGE or less, and its interval excludes 1; true where that
            interval lies within 1 / LARGE and LARGE; null where neither is known, for one since a
            half has fewer than ``least`` ends, or too few on one side of the column (no change)

    The interval is wide enough that of all columns together any is called departing by chance in
    at most CHANCE of fits. Everybody is used: it costs no more than the fit itself.
    """
    middle = float(np.quantile(lives.durations[lives.events], 0.5, method="lower"))
    parts = _divided(lives, middle)
    testable = [
        column.name
        for column in columns.get_columns()
        if not any(_too_few(column.to_numpy()[who], part.events, least) for who, part in parts)
    ]
    logs = [
        _logs(columns.filter(pl.Series(who)).select(testable), part, columns.columns)
        for who, part in parts
    ]
    (early, early_error), (late, late_error) = logs
    error = np.hypot(early_error, late_error) * norm.isf(CHANCE / 2 / columns.width)
    change = late - early
    spread = [1.0 if c.n_unique() == 2 else c.std() for c in columns.get_columns()]
    departs = (np.abs(change * spread) >= np.log(LARGE)) & (np.abs(change) > error)
    same = (np.abs(change) + error) * spread <= np.log(LARGE)
    kept = [bool(s) if s or d else None for s, d in zip(same, departs, strict=True)]
    names = ("earlier", "later", "change", "ci_lower", "ci_upper")
    figures = np.exp([early, late, change, change - error, change + error])
    return pl.DataFrame(
        {
            "term": columns.columns,
            "middle": np.full(columns.width, int(middle)),
            **dict(zip(names, figures, strict=True)),
            "proportional": pl.Series(kept, dtype=pl.Boolean),
        }
    ).with_columns(pl.col(names).fill_nan(None))


def _divided(lives: Lives, middle: float) -> list[tuple[np.ndarray, Lives]]:
    """Who is there in each half, and their lives in it.

    Nobody ends in the second half before its begin, so that who entered before it may count from
    0: the ratios are the same, and where that is everybody, no entry has to be followed.
    """
    durations, events, entry = lives
    late = durations > middle
    early = np.ones(len(durations), bool) if entry is None else entry < middle
    first = (np.minimum(durations, middle), events & ~late, entry)
    second = (durations, events, None if entry is None else np.where(entry > middle, entry, 0))
    return [
        (who, Lives(*(None if part is None else part[who] for part in parts)))
        for who, parts in ((early, first), (late, second))
    ]


def _too_few(values: np.ndarray, events: np.ndarray, least: int) -> bool:
    """Whether a half has too few ends, or on either side of a column's mean."""
    return events.sum() < least or design.few(values > values.mean(), events)


def _logs(columns: pl.DataFrame, lives: Lives, names: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Log ratios and their errors in the order of ``names``; NaN where there are none."""
    columns, fitter, _ = _fitted(columns, lives)
    found = np.full((2, len(names)), np.nan)
    if fitter is not None:
        places = [names.index(name) for name in columns.columns]
        found[:, places] = fitter.params_.to_numpy(), fitter.standard_errors_.to_numpy()
    return found[0], found[1]


def _by_period(
    whole: pl.DataFrame, columns: pl.DataFrame, lives: Lives, middle: int, confidence: float
) -> pl.DataFrame:
    """``whole`` with two rows for each departing term, all estimated anew together."""
    parts = _divided(lives, middle)
    periods = (f"to day {middle:,}", f"after day {middle:,}")
    departing = whole.filter(~pl.col("proportional"))["term"]
    halved = {f"{term} {name}": (term, name) for term in departing for name in periods}
    stacked = pl.concat(
        columns.filter(pl.Series(who)).with_columns(_half=pl.lit(float(half)))
        for half, (who, _) in enumerate(parts)
    ).with_columns(
        (pl.col(term) * (pl.col("_half") == periods.index(name))).alias(both)
        for both, (term, name) in halved.items()
    )
    joined = zip(*(part for _, part in parts), strict=True)
    both = Lives(*(None if one is None else np.concatenate([one, two]) for one, two in joined))
    try:
        fitter = _quietly(stacked.drop(departing.to_list()), both, strata=["_half"])
    except Refused:
        return whole
    found = _table(fitter, confidence)
    names = [halved.get(term, (term, "all")) for term in found["term"]]
    found = found.drop("term").hstack(pl.DataFrame(names, ["term", "period"], orient="row"))
    ends = [lives.events, *(part.events for _, part in parts)]
    sizes = pl.DataFrame(
        {
            "period": ["all", *periods],
            "n": [len(own) for own in ends],
            "events": [int(own.sum()) for own in ends],
        }
    )
    return (
        found.join(sizes, on="period", maintain_order="left")
        .join(whole.select("term", "proportional", "remedy"), on="term", maintain_order="left")
        .with_columns(remedy=pl.when(period="all").then("remedy").otherwise(pl.lit(SPLIT)))
    )


def _fitted(columns: pl.DataFrame, lives: Lives):
    """The fit of all columns that can be fitted together, or None, and those that cannot."""
    left_out = []
    while columns.width:
        try:
            fitter = _quietly(columns, lives)
            errors = np.nan_to_num(fitter.standard_errors_.to_numpy(), nan=np.inf)
            if (errors < WIDEST).all():
                return columns, fitter, left_out
            worst = columns.columns[errors.argmax()]
        except Refused:
            worst = _worst(columns, lives)
        left_out.append(worst)
        columns = columns.drop(worst)
    return columns, None, left_out


def _worst(columns: pl.DataFrame, lives: Lives) -> str:
    """The column that cannot be fitted even alone, or else has the largest effect of all."""
    for name in columns.columns:
        try:
            _quietly(columns.select(name), lives)
        except Refused:
            return name
    try:
        sizes = _quietly(columns, lives, penalizer=1e-4).params_.abs().to_numpy()
    except Refused:
        return columns.columns[-1]
    return columns.columns[int((sizes * columns.to_numpy().std(axis=0)).argmax())]


def _quietly(columns: pl.DataFrame, lives: Lives, **options):
    """A fit on its way to infinity overflows: it is refused for that, not warned of."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return cox.fit(columns, lives.durations, lives.events, entry=lives.entry, **options)


def _table(fitter, confidence: float) -> pl.DataFrame:
    """term, hazard_ratio, its limits and p-value (Wald)."""
    logs, errors = fitter.params_.to_numpy(), fitter.standard_errors_.to_numpy()
    reach = norm.isf((1 - confidence) / 2) * errors
    figures = (*np.exp([logs, logs - reach, logs + reach]), chi2.sf((logs / errors) ** 2, 1))
    return pl.DataFrame(
        {"term": fitter.params_.index.to_list(), **dict(zip(PARTS, figures, strict=True))}
    )


def _nothing(done: list[tuple]) -> Answer:
    tables = (pl.DataFrame(schema=schema) for schema in (RATIOS, HALVES))
    return Answer(*tables, pl.DataFrame(done, DONE, orient="row"))
