"""The same drawn business on every engine, and every table of a refresh made where its data lie."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import date, datetime
from pathlib import Path

import narwhals as nw
import numpy as np
import polars as pl
import servers
from inputs import book

from retention import schema
from retention.book import Churn
from retention.tables import activity, calendar, rules, spells, task
from retention_intake import checks, intake, sources

SNAPSHOT = date(2024, 12, 31)
DAY = calendar.day_of(SNAPSHOT)
FIRST_DAY = calendar.day_of(date(2023, 1, 1))
LAST_DAY = DAY + 60  # what happens later than the snapshot is there, and must not show
CHURNS = {
    "activity": Churn(kind="activity", activity=["purchase"], after_days=90),
    "contract": Churn(kind="contract", activity=["purchase", "visit"], after_days=30),
}
ZONE = "Europe/Berlin"
ENGINES = ("files", "duckdb", "postgres", "spark_local", "spark_connect")


def world(customers: int, seed: int = 1) -> dict[str, pl.DataFrame]:
    """Customers with known and unknown starts, about eight events each, and contracts with
    renewals, grace, open, ended and booked ends; some before the data, some after the snapshot.
    """
    rng = np.random.default_rng((customers, seed))
    first = rng.integers(FIRST_DAY - 200, LAST_DAY, customers)
    ids = pl.Series([f"c{number:06}" for number in range(customers)])
    people = pl.DataFrame(
        {
            "customer_id": ids,
            "started": _dates(first, rng.random(customers) < 0.7),
            "region": _drawn(rng, ["north", "süd", None], customers),
            "size": rng.integers(1, 9, customers),
            "score": np.round(rng.normal(size=customers), 3),
            "newsletter": rng.random(customers) < 0.5,
        }
    )
    contracts = _contracts(rng, ids, first)
    events = _events(rng, ids, first)
    made = {"events": events, "customers": people, "contracts": contracts}
    return made | {"surveys": _surveys(rng, ids, first)}


def _drawn(rng: np.random.Generator, values: list, n: int) -> pl.Series:
    return pl.Series(values)[rng.integers(0, len(values), n)]


def _known(values: pl.Series, known: np.ndarray) -> pl.Series:
    """``values`` where ``known``, else null."""
    return pl.select(pl.when(pl.Series(known)).then(values)).to_series()


def _dates(days: np.ndarray, known: np.ndarray) -> pl.Series:
    return _known(pl.Series(days.astype(np.int32)).cast(pl.Date), known)


def _events(rng: np.random.Generator, ids: pl.Series, first: np.ndarray) -> pl.DataFrame:
    whose = np.repeat(np.arange(len(ids)), rng.geometric(1 / 8, len(ids)))
    day = np.maximum(first[whose], FIRST_DAY) + rng.exponential(90, len(whose)).astype(int)
    whose, day = whose[day <= LAST_DAY], day[day <= LAST_DAY]
    n = len(whose)
    second = rng.integers(4 * 3600, 86_400, n)  # in no hour that clocks skip
    at = day * 86_400_000_000 + second * 1_000_000 + rng.integers(0, 1_000_000, n)
    kind = _drawn(rng, ["purchase"] * 14 + ["visit"] * 5 + ["call"], n)
    orders = pl.Series([f"o{number}" for number in rng.integers(0, n // 2 + 1, n)])
    return pl.DataFrame(
        {
            "customer_id": ids[whose],
            "at": pl.Series(at).cast(pl.Datetime("us")),
            "kind": kind,
            "order_id": _known(orders, rng.random(n) < 0.7),
            "amount": _known(pl.Series(rng.integers(0, 50_000, n) / 100), kind == "purchase"),
            "product": _drawn(rng, [None, *(f"p{number}" for number in range(30))], n),
            "category": _drawn(rng, ["tea", "Käse", "coffee, black", 'a "cup"', None], n),
            "channel": _drawn(rng, ["web", "shop", "app", None], n),
        }
    )


def _contracts(rng: np.random.Generator, ids: pl.Series, first: np.ndarray) -> pl.DataFrame:
    n, started, here, rows = len(ids), first, np.ones(len(ids), dtype=bool), []
    for _ in range(3):
        ended = started + rng.choice([1, 30, 180, 365], n)
        is_over = rng.random(n) < 0.7
        term = pl.DataFrame(
            {
                "customer_id": ids,
                "started": _dates(started, here),
                "ended": _dates(ended, is_over),
                "booked": _dates(ended - rng.integers(-20, 20, n), is_over & (rng.random(n) < 0.5)),
                "cause": _known(_drawn(rng, ["voluntary", "payment"], n), is_over),
                "plan": _drawn(rng, ["basic", "plus", None], n),
                "amount": np.round(rng.uniform(0, 99, n), 2),
            }
        )
        rows.append(term.filter(pl.Series(here)))
        here = here & is_over & (rng.random(n) < 0.7)
        started = ended + rng.choice([0, 1, 29, 30, 31, 200], n)
    return pl.concat(rows)


def _surveys(rng: np.random.Generator, ids: pl.Series, first: np.ndarray) -> pl.DataFrame:
    """Every third customer asked, of whom half answer, some after the snapshot."""
    n, sent = len(ids), np.maximum(first, FIRST_DAY) + rng.integers(0, 200, len(ids))
    spoke, kind = rng.random(n) < 0.5, _drawn(rng, ["nps", "csat"], n)
    score = pl.Series(rng.integers(1, 6, n).astype(float))
    table = pl.DataFrame(
        {
            "customer_id": ids,
            "sent": _dates(sent, np.ones(n, dtype=bool)),
            "kind": kind,
            "answered": _dates(sent + rng.integers(0, 90, n), spoke),
            "score": _known(score, spoke),
        }
    )
    return table.filter(pl.Series(rng.random(n) < 1 / 3))


def broken(events: pl.DataFrame) -> pl.DataFrame:
    """Events of which some break a rule each; which, goes by their place alone."""
    place, night = pl.int_range(pl.len()), pl.lit(datetime(2024, 3, 31, 2, 30))
    for number, name, value in (
        (97, "customer_id", None),
        (101, "amount", -pl.col("amount") - 1),
        (89, "kind", None),
        (103, "channel", pl.lit("x<SCRIPT>")),
        (107, "at", None),
        (109, "customer_id", pl.concat_str(pl.lit(" "), "customer_id")),
        (113, "amount", None),
        (127, "amount", pl.lit(1e14)),
        (131, "at", pl.lit(datetime(1969, 7, 20, 20, 17))),
        (137, "at", night),
    ):
        changed = pl.when(place % number == 0).then(value).otherwise(name).alias(name)
        events = events.with_columns(changed)
    return events


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
    """Every table of a refresh, and what breaks its promises, lazy where they lie."""
    events, kept = known(tables["events"])
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
        "breaks": rules.breaks(events, kept),
        "surveys": tables["surveys"].select(*schema.TABLES["surveys"].columns),
    }
    for kind, churn in CHURNS.items():
        derived = task.derive(acts, people, terms, churn, DAY)
        further = {
            "returns": spells.returns(
                derived["spells"], snapshot_day=DAY, after_days=churn.after_days
            ),
            "broken spells": _broken_spells(lazy(derived["spells"])),
        }
        found |= {f"{name} ({kind})": frame for name, frame in (derived | further).items()}
    return {name: lazy(frame) for name, frame in found.items()}


def _broken_spells(stretches: nw.LazyFrame) -> nw.LazyFrame:
    """How many spells break each rule of their promise once every end is before its start."""
    spoilt = stretches.with_columns(end_day=-nw.col("end_day"))
    promise = schema.TABLES["spells"]
    return rules.breaks(spoilt, rules.row_rules(spoilt.collect_schema(), promise))


def lazy(frame) -> nw.LazyFrame:
    return nw.from_native(frame, pass_through=False).lazy()


def known(events) -> tuple[nw.LazyFrame, list[rules.Rule]]:
    """Events up to the snapshot, and the rules that each of them keeps."""
    frame = intake.known({"events": events}, DAY)["events"].drop(sources.KEPT)
    kept = rules.row_rules(frame.collect_schema(), schema.TABLES["events"])
    return frame, [*kept, *checks.on_the_clocks(ZONE)]


def reference(tables: dict[str, pl.DataFrame], root: Path) -> dict[str, pl.DataFrame]:
    """Every table by Polars in memory, in the order of `in_order`."""
    with opened("files", root, "", tables) as source:
        held = {name: frame.collect().lazy() for name, frame in source.tables.items()}
    return {name: in_order(nw.to_native(frame).collect()) for name, frame in made(held).items()}


def in_order(frame: pl.DataFrame) -> pl.DataFrame:
    """Rows in one order, as engines keep none."""
    return frame.sort(frame.columns, nulls_last=True)


def timed(
    source: sources.Source,
    say: Callable[[str, float, pl.DataFrame], None],
    only: Iterable[str] = (),
) -> None:
    """Make every table (or ``only`` some) where ``source`` lies, and say how long each took."""
    for name, frame in made(source.tables).items():
        if only and name not in only:
            continue
        begun = time.perf_counter()
        found = sources.collected(source, {name: frame})[name]
        say(name, time.perf_counter() - begun, in_order(found))
