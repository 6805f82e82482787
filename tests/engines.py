"""The same business on every engine, and every table of a refresh made where its data lie."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import date
from pathlib import Path

import narwhals as nw
import numpy as np
import polars as pl
import servers
from inputs import book

from retention import schema
from retention.book import Churn
from retention.tables import activity, calendar, rules, spells, task
from retention_demo import simulate
from retention_intake import checks, intake, sources

SNAPSHOT = date(2024, 11, 20)  # while customers answer a survey; what comes later must not show
DAY = calendar.day_of(SNAPSHOT)
BEGIN = date(2023, 10, 1)  # of the events: some customers have started before
FIRST_DAY = calendar.day_of(BEGIN)
CHURNS = {
    "activity": Churn(kind="activity", activity=["purchase"], after_days=90),
    "contract": Churn(kind="contract", activity=["purchase", "visit"], after_days=30),
}
ZONE = "Europe/Berlin"
TABLES = ("events", "customers", "contracts", "surveys")
ODD = {"tea": "Käse", "coffee": "coffee, black", "kitchen": 'a "cup"'}


def world(customers: int, seed: int = 1) -> dict[str, pl.DataFrame]:
    """The simulated business with what makes engines differ: gaps in every optional column, odd
    texts, parts of seconds, real numbers. Of its events every twentieth is kept.
    """
    parts = []
    for block, first in enumerate(range(0, customers, simulate.BLOCK)):
        tables = simulate.world(min(simulate.BLOCK, customers - first), seed, block=block)
        days = tables["events"].filter(pl.col("at").dt.date() >= BEGIN)
        parts.append(tables | {"events": days.gather_every(20)})
    drawn = {name: pl.concat(part[name] for part in parts) for name in TABLES}
    place, rng = pl.int_range(pl.len()), np.random.default_rng(seed)
    category = pl.col("category").replace(ODD)
    return {
        "events": drawn["events"].with_columns(
            pl.col("at") + pl.duration(microseconds=place * 12_345 % 1_000_000),
            order_id=pl.when(place % 3 > 0).then(pl.format("o{}", place // 5)),
            product=pl.when(place % 4 > 0).then("product"),
            category=pl.when(place % 7 > 0).then(category),
            channel=pl.when(place % 5 > 0).then("channel"),
        ),
        "customers": drawn["customers"].with_columns(
            started=pl.when(place % 3 > 0).then("started"),
            region=pl.when(place % 4 > 0).then(pl.col("region").replace({"south": "süd"})),
            score=pl.Series(rng.normal(size=customers)).round(3),
        ),
        "contracts": drawn["contracts"].with_columns(plan=pl.when(place % 6 > 0).then("plan")),
        "surveys": drawn["surveys"].with_columns(pl.col("score").cast(pl.Float64)),
    }


@contextmanager
def opened(engine: str, root: Path, place: str, tables: dict[str, pl.DataFrame]) -> Iterator:
    """A `Source` of ``tables``, which are put into the engine at ``place`` (an address or "")."""
    settings, names, session = {}, {name: name for name in tables}, nullcontext()
    if engine == "duckdb":
        root.mkdir(parents=True, exist_ok=True)
        servers.load(root / "world.duckdb", tables)
        settings = {"kind": "duckdb", "file": "world.duckdb"}
    elif engine == "postgres":
        servers.load(place, tables)
        settings = {"kind": "postgres", "url": place}
    else:
        servers.load(root, tables)
        names = {name: str(root / f"{name}.parquet") for name in tables}
        settings = {"kind": "files"}
        if engine != "files":
            settings, session = {"kind": "spark", "url": place}, servers.spark_session(place)
    given = book(names, source=settings, timezone=ZONE)
    with session, sources.read(given, root, root / "spool") as source:
        yield source


def made(tables: dict[str, object]) -> dict[str, nw.LazyFrame]:
    """Every table of a refresh, and the counts of its promises, lazy where they lie."""
    events = intake.known({"events": tables["events"]}, DAY)["events"].drop(sources.KEPT)
    kept = rules.row_rules(events.collect_schema(), schema.TABLES["events"])
    plain = events.select(*schema.TABLES["events"].columns)
    people = lazy(tables["customers"])
    people = people.drop(n for n in people.collect_schema() if n.startswith(("fault", "kept")))
    tables = intake.known(tables, DAY)
    terms = tables["contracts"].select(*schema.TABLES["contracts"].columns)
    acts = activity.activity(plain)
    found = {
        "activity": acts,
        "habits": activity.habits(plain),
        "baskets": activity.baskets(plain),
        "breaks": rules.breaks(events, [*kept, *checks.on_the_clocks(ZONE)]),
        "surveys": tables["surveys"].select(*schema.TABLES["surveys"].columns),
    }
    for kind, churn in CHURNS.items():
        derived = task.derive(acts, people, terms, churn, DAY)
        further = {
            "returns": spells.returns(
                derived["spells"], snapshot_day=DAY, after_days=churn.after_days
            )
        }
        found |= {f"{name} ({kind})": frame for name, frame in (derived | further).items()}
    return {name: lazy(frame) for name, frame in found.items()}


def lazy(frame) -> nw.LazyFrame:
    return nw.from_native(frame, pass_through=False).lazy()


def reference(tables: dict[str, pl.DataFrame], root: Path) -> dict[str, pl.DataFrame]:
    """Every table by Polars in memory, in the order of `in_order`."""
    with opened("files", root, "", tables) as source:
        held = {name: frame.collect().lazy() for name, frame in source.tables.items()}
    return {name: in_order(nw.to_native(frame).collect()) for name, frame in made(held).items()}


def in_order(frame: pl.DataFrame) -> pl.DataFrame:
    """Rows in one order, as engines keep none."""
    return frame.sort(frame.columns, nulls_last=True)


def timed(source: sources.Source, only: Iterable[str] = ()):
    """Every table (or ``only`` some), made where ``source`` lies: name, seconds and rows."""
    for name, frame in made(source.tables).items():
        if not only or name in only:
            begun = time.perf_counter()
            found = sources.collected(source, {name: frame})[name]
            yield name, time.perf_counter() - begun, in_order(found)
