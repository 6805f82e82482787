"""Segments on three real books: strata found again, kept, and of use; no natural group made up.

Usage: python benchmarks/segments.py [--data DIR]      (DIR holds online_retail/lines.parquet)

At a day T strata are drawn from history only, by the workbook's own functions. R2: what means of
strata explain, out of fold, of what customers did in the next 180 days; RFM 5 x 5 x 5 beside.
"""

import argparse
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import polars as pl
import sets
from sklearn.metrics import adjusted_rand_score

from retention import book as books
from retention.clusters import clusters, habits, strata, trust, usefulness
from retention.stats import ranks, scaling
from retention.stats import usefulness as explained
from retention.tables import calendar, task
from retention_app.workbook import take
from retention_runner import notebooks

PROJECT = Path(__file__).parent.parent
DAYS = {  # T, days within which a customer counts as current
    "cdnow": (date(1997, 12, 31), 180),
    "journey": (date(2017, 6, 30), 60),
    "retail": (date(2011, 6, 12), 180),
}
BOUNDS = {  # adjusted Rand and Jaccard in samples, agreement and stay over 30 days; R2 of three
    "cdnow": (0.90, 0.80, 0.75, 0.80, (0.20, 0.10, 0.17), (0.235, 0.112, 0.187)),
    "journey": (0.88, 0.80, 0.75, 0.80, (0.50, 0.025, 0.42), (0.53, 0.04, 0.44)),
    "retail": (0.90, 0.80, 0.80, 0.75, (0.36, 0.125, 0.23), (0.373, 0.135, 0.257)),
}
OUTCOMES = ("active", "any", "amount")
SPENDING = ["days_since_last_activity", "active_days_total", "amount_cents_total"]
AHEAD, NULLS, MIN_SAMPLES = 180, 20, 20


def at(whole: dict[str, pl.DataFrame], churn, past: strata.Past, day: int):
    """Customers current on ``day``, and where they lie on the axes."""
    activity, terms = whole["activity"].lazy(), whole["terms"].lazy()
    known, _ = task.as_of(whole["customers_at"], activity, terms, churn, day)
    current = known.filter(standing="current").sort("customer_id")
    return current, strata.measured(past, current, day)


def followed(activity: pl.DataFrame, ids: pl.DataFrame, day: int) -> list[np.ndarray]:
    """What customers did in the days after: active days and amount (logarithms), and whether."""
    on = pl.col("day")
    after = activity.filter(on > day, on <= day + AHEAD).group_by("customer_id")
    done = after.agg(days=on.n_unique(), cents=pl.col("amount_cents").sum())
    found = ids.join(done, on="customer_id", how="left", maintain_order="left").fill_null(0)
    days, cents = found["days"].to_numpy(), found["cents"].to_numpy()
    return [np.log1p(days), (days > 0).astype(float), np.log1p(cents / 100)]


def natural(table: pl.DataFrame, units: pl.DataFrame, logged: list[str]) -> int:
    """How many natural groups are claimed among customers with these features."""
    found = clusters.fit(clusters.Behaviour(table, units, logged), 0, MIN_SAMPLES, 50_000)
    return len(trust.trusted(trust.judged(trust.checks(found))))


def claimed(whole: dict[str, pl.DataFrame], current: pl.DataFrame) -> tuple[int, int, int]:
    """Natural groups claimed in bells as wide as the habits, on habits, on what is spent."""
    r = SimpleNamespace(tables=SimpleNamespace(**whole))
    seen = current.filter(pl.col("active_days_total") >= clusters.LEAST_DAYS)
    mixed, units = habits.mix(habits.counted(r), seen)
    points = scaling.points(mixed)
    middle, spread = points.mean(axis=0), np.atleast_2d(np.cov(points, rowvar=False))
    in_nulls = 0
    for seed in range(NULLS):
        drawn = np.random.default_rng(seed).multivariate_normal(middle, spread, len(points))
        table = mixed.select("customer_id").hstack(pl.DataFrame(drawn))
        in_nulls += natural(table, table.with_columns(pl.exclude("customer_id") * 0), [])
    spent = clusters.measured(current, SPENDING, SPENDING)
    on_spending = natural(spent, clusters.units(current, spent), SPENDING)
    return in_nulls, natural(mixed, units, []), on_spending


def measured(name: str, data: Path | None) -> dict[str, float] | None:
    """Every figure of a set; None where its data are missing."""
    own = sets.book(name, data)
    if own is None:
        return None
    t, after = DAYS[name]
    churn, day = own.churn.model_copy(update={"after_days": after}), calendar.day_of(t)
    whole = sets.tables(own.model_copy(update={"churn": churn}))
    past = strata.past(whole["activity"].lazy(), churn.activity, day)
    current, now = at(whole, churn, past, day)
    _, then = at(whole, churn, past, day - strata.EARLIER)
    choice = strata.chosen(now, then)
    labels, old = strata.placed(now, choice.lines), strata.drawn(then, len(choice.lines.centres))
    both = then.select("customer_id", then=pl.Series(strata.placed(then, old))).join(
        now.select("customer_id", now=pl.Series(strata.placed(now, old))), on="customer_id"
    )
    outcomes = followed(whole["activity"], now.select("customer_id"), day)
    recency = current["days_since_last_activity"].to_numpy()
    with_recency = 3 * labels + ranks.parts(-recency.astype(float), 3)
    print(f"{name}: {now.height:,} customers, {len(old.centres)} strata on {choice.lines.axes}")
    print(usefulness.compared(now, labels, recency, outcomes))
    found = {"sub": choice.rand, "jaccard": choice.jaccard, "definition_30d": choice.agreement}
    found["stay_30d"] = (both["then"] == both["now"]).mean()
    for outcome, values in zip(OUTCOMES, outcomes, strict=True):
        found[f"r2_{outcome}"] = explained.r_squared(labels, values)
        found[f"r2_{outcome}_with_recency"] = explained.r_squared(with_recency, values)
    in_nulls, of_habits, on_spending = claimed(whole, current)
    print(f"natural groups: {in_nulls} in bells, {of_habits} of habits, {on_spending} of spending")
    return found | {"in_nulls": in_nulls, "on_spending": on_spending}


def planted() -> float:
    """How near the natural groups of the simulated book come to those planted: adjusted Rand of
    customers who have a planted group."""
    own = books.load("simulated", PROJECT)
    own = books.at(own, own.snapshot_date[-1])
    day = calendar.day_of(own.snapshot_date)
    made = task.tables(own, take(own, PROJECT, day))
    given = notebooks.declared(PROJECT / "notebooks" / "30_clusters.ipynb")
    asked = given | own.parameters["30_clusters"]
    r = SimpleNamespace(tables=SimpleNamespace(**made))
    known = clusters.behaviour(r, asked["features"], asked["logged"], asked["min_events_90d"])
    sizes = asked["min_cluster_size"], asked["min_samples"], asked["fit_at_most"]
    table = clusters.fit(known, *sizes).table
    made_of = (PROJECT / "work" / ".simulated").glob("*/truth/*.parquet")
    world = pl.concat(map(pl.read_parquet, made_of))
    last = world.filter(pl.col("from_date") <= own.snapshot_date).sort("from_date")
    groups = last.group_by("customer_id").agg(pl.col("group").last())
    joined = table.join(groups, on="customer_id").filter(pl.col("group") != "straggler")
    return float(adjusted_rand_score(joined["group"], joined["cluster"]))


def main(data: Path | None) -> None:
    every = {name: measured(name, data) for name in DAYS}
    for name, found in every.items():
        sub, jaccard, definition, stay, alone, recency = BOUNDS[name]
        bounds = {"sub": sub, "jaccard": jaccard, "definition_30d": definition, "stay_30d": stay}
        bounds |= {f"r2_{one}": bound for one, bound in zip(OUTCOMES, alone, strict=True)}
        bounds |= {
            f"r2_{one}_with_recency": bound for one, bound in zip(OUTCOMES, recency, strict=True)
        }
        for measure, bound in bounds.items():
            figure = found[measure] if found else float("nan")
            print(f"goal segments_{name}_{measure}: {figure:.3f}, wanted >= {bound}")
    for measure in ("in_nulls", "on_spending"):
        known = [found[measure] if found else float("nan") for found in every.values()]
        print(f"goal segments_natural_{measure}: {sum(known):.0f}, wanted <= 0")
    print(f"goal segments_planted_rand: {planted():.3f}, wanted >= 0.85")


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--data", type=Path)
    main(arguments.parse_args().data)
