"""One drawn business in every kind of source, and every table built there by the same code."""

import time
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

import inputs
import narwhals as nw
import numpy as np
import polars as pl
import servers

from retention.analysis import cohorts
from retention.book import Book, Churn
from retention.tables import activity, calendar, promises, rules, sources, spells, task
from retention.tables.sources import KEPT

SNAPSHOT = date(2025, 6, 30)
DAY = calendar.day_of(SNAPSHOT)
BEGIN = datetime(2023, 1, 1)
KINDS = {  # what a book may count as churn
    "activity": Churn(kind="activity", activity=["purchase"], after_days=60),
    "contract": Churn(kind="contract", activity=["purchase", "visit"], after_days=30),
}


def drawn(customers: int, seed: int = 1) -> dict[str, pl.DataFrame]:
    """Events, customers and contracts of ``customers``, typed as a database has them.

    Everything that the definitions speak of occurs: known and unknown starts, some before the
    data; events with and without order, amount, product and channel; renewals in and after the
    grace, overlaps, open ends, ends booked ahead and after, causes.
    """
    rng = np.random.default_rng(seed)
    ids = np.array([f"customer-{number:06}" for number in range(customers)])
    born = rng.integers(-200, 800, customers)
    stay = rng.geometric(1 / 150, customers)
    n = rng.poisson(1 + stay / 25)
    who = np.repeat(np.arange(customers), n)
    day = np.maximum(born[who], 0) + (rng.random(who.size) * stay[who]).astype(int)
    seconds = day * 86_400 + rng.integers(7 * 3_600, 23 * 3_600, who.size)
    events = pl.DataFrame(
        {
            "customer_id": ids[who],
            "at": np.datetime64(BEGIN, "us") + 1_000_000 * seconds,
            "kind": rng.choice(["purchase", "visit", "return"], who.size, p=[0.6, 0.35, 0.05]),
            "order_id": [f"order-{number}" for number in rng.integers(0, who.size, who.size)],
            "amount": rng.integers(1, 20_000, who.size) / 100,
            "product": rng.choice(["tea", "cup", "pot", "tray"], who.size),
            "category": rng.choice(["drink", "ware"], who.size),
            "channel": rng.choice(["web", "shop", "phone"], who.size),
        }
    )
    bought = pl.col("kind") == "purchase"
    blank = pl.Series(rng.random(who.size))
    events = events.with_columns(
        pl.when(bought).then("amount"),
        pl.when(bought & (blank < 0.8)).then("order_id"),
        pl.when(blank < 0.7).then("product"),
        pl.when(blank < 0.6).then("category"),
        pl.when(blank > 0.1).then("channel"),
    )
    people = pl.DataFrame(
        {
            "customer_id": ids,
            "started": [
                None if unknown else BEGIN.date() + timedelta(int(start))
                for start, unknown in zip(born, rng.random(customers) < 0.2, strict=True)
            ],
            "region": rng.choice(["north", "south", "west"], customers),
            "age": rng.integers(18, 90, customers),
            "score": rng.integers(0, 1_000, customers) / 8,
            "newsletter": rng.random(customers) < 0.5,
        }
    )
    return {"events": events, "customers": people, "contracts": _contracts(ids, born, stay, rng)}


def _contracts(ids, born, stay, rng) -> pl.DataFrame:
    """One to four terms each, with gaps of minus ten to ninety days between them."""
    rows = []
    for name, start, length in zip(ids, born, stay, strict=True):
        begin = max(int(start), 0)
        starts = set()
        for _ in range(rng.integers(1, 5)):
            end = begin + int(rng.integers(1, max(2, length)))
            is_open, booked = rng.random() < 0.2, end + int(rng.integers(-60, 30))
            if begin not in starts:
                rows.append((name, begin, None if is_open else end, None if is_open else booked))
            starts.add(begin)
            begin = max(end + int(rng.integers(-10, 90)), begin + 1)
    frame = pl.DataFrame(rows, ["customer_id", "started", "ended", "booked"], orient="row")
    day = pl.col("started", "ended", "booked").cast(pl.Int64)
    cause = rng.choice(["voluntary", "payment failure", "moved"], len(rows))
    return frame.with_columns(
        (pl.lit(BEGIN.date()) + pl.duration(days=day)).name.keep(),
        cause=pl.when(pl.col("ended").is_not_null()).then(pl.Series(cause)),
        plan=pl.Series(rng.choice(["basic", "plus"], len(rows))),
        amount=pl.Series(rng.integers(500, 9_900, len(rows)) / 100),
    ).with_columns(booked=pl.max_horizontal("booked", "started"))


def book(root: Path, engine: str, where: str, tables: dict[str, pl.DataFrame]) -> Book:
    """A book of ``tables`` in an ``engine``; ``where`` is the address of a server, where it has
    one."""
    settings = {"timezone": "America/New_York", "snapshot_date": SNAPSHOT}
    if not engine.startswith("spark"):
        return inputs.put(root, where or engine, tables, **settings)
    servers.load(root / "lake", tables)
    places = {name: f"{root}/lake/{name}.parquet" for name in tables}
    return inputs.book(places, source={"kind": "spark", "url": where}, **settings)


def queries(source: sources.Source) -> dict[str, object]:
    """Every table of the definition as a lazy frame on the engine of ``source``."""
    own = {
        name: nw.from_native(frame).lazy().filter(KEPT).drop(KEPT).to_native()
        for name, frame in source.tables.items()
    }
    plain = nw.from_native(own["events"]).select(*promises.PROMISES["events"].columns).to_native()
    known = activity.until(plain, DAY)
    acts = activity.activity(known)
    found = {"activity": acts, "habits": activity.habits(known), "baskets": activity.baskets(known)}
    people = own["customers"]
    months = nw.from_native(known).select(month=calendar.month("day")).unique().to_native()
    for kind, churn in KINDS.items():
        made = task.derive(acts, people, own["contracts"], churn, DAY)
        made = {name: nw.to_native(frame, pass_through=True) for name, frame in made.items()}
        starts = cohorts.starts(made["spells"])
        active = cohorts.active_months(acts, churn.activity)
        if kind == "contract":
            active = cohorts.months_in_force(made["spells"], months, snapshot_day=DAY)
        made["returns"] = spells.returns(
            made["spells"], snapshot_day=DAY, after_days=churn.after_days
        )
        made["cohort counts"] = cohorts.active_counts(starts, active)
        found |= {f"{name} ({kind})": frame for name, frame in made.items()}
        found[f"breaks of spells ({kind})"] = _breaks("spells", made["spells"], "end_day")
    found["breaks of events"] = _breaks("events", own["events"], "amount_cents")
    return found


def _breaks(table: str, frame, column: str):
    """How many rows break each rule of a table, once every value of ``column`` is spoilt."""
    spoilt = nw.from_native(frame).lazy().with_columns((-nw.col(column)).alias(column))
    promise = promises.PROMISES[table]
    return rules.breaks(spoilt, rules.row_rules(spoilt.collect_schema(), promise))


def built(root: Path, given: Book) -> Iterator[tuple[str, pl.DataFrame, float]]:
    """Every table of ``queries``, sorted, with the seconds that its engine took."""
    with sources.read(given, root, root / "spool") as source:
        for name, query in queries(source).items():
            begun = time.perf_counter()
            frame = sources.collected(source, {name: query})[name]
            seconds = time.perf_counter() - begun
            yield name, frame.sort(frame.columns, nulls_last=True), seconds
