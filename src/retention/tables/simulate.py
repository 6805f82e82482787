"""Customers with planted truth: a contract business whose every answer is known beforehand.

People belong to groups that behave alike, or are stragglers. Their group shifts plan, onboarding,
payment method and trial usage, and these alone decide how soon they leave, and why. What they do
meanwhile follows the habits of their group. Readers see contracts and events, tests also the truth.
The business is one in euros, and everybody starts in it on a known day.
"""

import json
from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl

FIRST_DAY = date(2023, 7, 1)  # the first day on which a customer may start
SNAPSHOTS = (date(2024, 12, 31), date(2025, 3, 31), date(2025, 6, 30))  # quarter ends
LAST_DAY = SNAPSHOTS[-1]  # nothing after it is written, but ends booked before it
BLOCK = 10_000  # customers drawn and held in memory at a time
FILES = {"compression": "zstd", "compression_level": 3, "row_group_size": 1 << 18}

PLANS = {"basic": 19.0, "plus": 39.0, "pro": 79.0}  # euros per 30 days
ANNUAL = {"share": 0.25, "term_days": 365, "discount": 0.15, "grace_days": 5}
PAYMENT_METHODS = ("card", "direct_debit", "invoice")
REGIONS = ("north", "east", "south", "west")  # without effect on anything
CHANNELS = ("web", "app", "store")
CATEGORIES = ("coffee", "tea", "bakery", "kitchen", "gifts", "books")
PRODUCTS = 8  # in each category
OTHER_KINDS = {"visit": 0.85, "compare": 0.10, "support": 0.05}  # of what is no purchase
FAVOURITE = 0.7  # share of events in the favourite channel or category

# The truth about leaving: hazard(t | x) = baseline(t) * product of hazard ratio ** x, per cause.
TERMS = {
    "plan_plus": pl.col("plan") == "plus",  # against basic
    "plan_pro": pl.col("plan") == "pro",
    "onboarding_guided": pl.col("onboarding") == "guided",  # against self
    "payment_method_direct_debit": pl.col("payment_method") == "direct_debit",  # against card
    "payment_method_invoice": pl.col("payment_method") == "invoice",
    "trial_sessions": pl.col("trial_sessions"),  # for each session
}
HAZARD_RATIOS = {
    "voluntary": dict(zip(TERMS, (0.80, 0.55, 0.65, 1.0, 1.0, 0.92), strict=True)),
    "payment_failure": dict(zip(TERMS, (1.0, 1.0, 1.0, 0.45, 0.70, 1.0), strict=True)),
}
CAUSES = tuple(HAZARD_RATIOS)
BASELINES = {  # Weibull: hazard(t) = shape / scale_days * (t / scale_days) ** (shape - 1)
    "voluntary": {"shape": 0.9, "scale_days": 500.0},
    "payment_failure": {"shape": 1.1, "scale_days": 1200.0},
}
NOTICE_DAYS = 30  # a voluntary end is booked 0 to 30 days before it, never before the start
RETURNS = {"share": 0.15, "after_days": 91, "mean_further_days": 60.0}  # no window sees two spells
DECLINE = {"share": 0.6, "days": 56}  # usage falls steadily to nothing before a voluntary end
MOVES = 0.04  # share of customers who change group at the start of a quarter after a snapshot


@dataclass(frozen=True)
class Group:
    """Customers who behave alike: a bell in four coordinates, cut at 3 spreads, maybe bent.

    The coordinates: log events per 30 days, log cents per order, weekend share, order share.
    """

    weight: float  # share of all customers
    events_per_30d: float
    euros_per_order: float
    weekend_share: float  # of events
    order_share: float  # of events
    spread: tuple[float, ...]  # standard deviation in each coordinate
    bend: float = 0.0  # log cents rise by this times (z ** 2 - 1), z = standardised log events

    @property
    def centre(self) -> np.ndarray:
        """Middle of the bell, in coordinates."""
        logs = np.log([self.events_per_30d, 100 * self.euros_per_order])
        return np.array([*logs, self.weekend_share, self.order_share])


@dataclass(frozen=True)
class Mix:
    """What contracts the customers of a group have: nothing else acts on their hazards."""

    plans: tuple[float, ...]  # shares of basic, plus, pro
    guided: float  # share with guided onboarding
    payments: tuple[float, ...]  # shares of card, direct debit, invoice
    sessions: float  # mean of trial sessions (Poisson)


GROUPS = {
    "everyday": Group(0.34, 16, 18, 0.22, 0.40, (0.45, 0.10, 0.02, 0.03), bend=0.5),
    "weekend": Group(0.22, 13, 60, 0.54, 0.48, (0.08, 0.12, 0.03, 0.03)),
    "browsing": Group(0.16, 22, 45, 0.34, 0.20, (0.05, 0.80, 0.02, 0.02)),
    "stocking": Group(0.12, 12, 130, 0.30, 0.70, (0.15, 0.30, 0.04, 0.05)),
    "office": Group(0.08, 18, 12, 0.07, 0.56, (0.06, 0.10, 0.015, 0.025)),
}
# Stragglers belong to none: evenly spread within centre +- spread, but outside of every group.
STRAGGLERS = Group(0.08, 13, 35, 0.40, 0.45, (0.8, 2.0, 0.38, 0.40))
MIXES = {
    "everyday": Mix((0.3, 0.5, 0.2), 0.5, (0.5, 0.3, 0.2), 4.0),
    "weekend": Mix((0.4, 0.4, 0.2), 0.7, (0.3, 0.6, 0.1), 4.0),
    "browsing": Mix((0.7, 0.2, 0.1), 0.5, (0.5, 0.3, 0.2), 7.0),
    "stocking": Mix((0.4, 0.4, 0.2), 0.3, (0.5, 0.3, 0.2), 2.0),
    "office": Mix((0.1, 0.3, 0.6), 0.8, (0.1, 0.2, 0.7), 4.0),
    "straggler": Mix((0.4, 0.4, 0.2), 0.5, (0.5, 0.3, 0.2), 4.0),
}
LABELS = tuple(MIXES)
SETTINGS = {"separate": 0.0, "overlap": 0.63}  # how far groups are drawn to the stragglers' centre
VALLEY = np.array([0.2, 0.4, 0.08, 0.08])  # no straggler comes nearer than this to a group's edge
NOISE = np.array([0.06, 0.08, 0.03, 0.03])  # sd with which 90 days of events show the coordinates

QUASI = np.array([(5**0.5 - 1) / 2, 2**0.5, 3**0.5, 7**0.5])  # multiples fill [0, 1) evenly


def people(customers: int, seed: int, *, block: int = 0) -> pl.DataFrame:
    """Draw who they are: one row per customer of one block, sorted by ``customer_id``.

    Returns customer_id, started (Date), onboarding, payment_method, trial_sessions, region,
            consent_email, group (at the start; one of LABELS), plan, is_annual, declines (usage
            falls before a voluntary end), channel and category (the favourites)

    A block is the same whatever other blocks there are, but another if its size is another.

    Raises:
        ValueError: ``customers`` is not positive or ids would pass c99999999.

    Checked in tests/test_simulate.py.
    """
    first = block * BLOCK + 1
    if not 1 <= customers < 10**8 - first:
        raise ValueError(f"customers must lie between 1 and {10**8 - first - 1}, got {customers}")
    rng = np.random.default_rng((seed, block, 0))
    shares = [group.weight for group in (*GROUPS.values(), STRAGGLERS)]
    group = rng.choice(len(shares), customers, p=shares)
    mixes = MIXES.values()
    number = pl.int_range(first, first + customers, eager=True)
    world_days = (LAST_DAY - FIRST_DAY).days + 1

    def pick(names: Collection[str], shares: list | None = None) -> pl.Series:
        shares = np.full(len(names), 1 / len(names)) if shares is None else np.array(shares)[group]
        return _texts(names, _choose(rng, shares, customers))

    return pl.DataFrame(
        {
            "customer_id": "c" + number.cast(pl.String).str.zfill(8),
            "started": np.datetime64(FIRST_DAY) + rng.integers(world_days, size=customers),
            "onboarding": pick(("guided", "self"), [(mix.guided, 1 - mix.guided) for mix in mixes]),
            "payment_method": pick(PAYMENT_METHODS, [mix.payments for mix in mixes]),
            "trial_sessions": rng.poisson(np.array([mix.sessions for mix in mixes])[group]),
            "region": pick(REGIONS),
            "consent_email": rng.random(customers) < 0.7,
            "group": _texts(LABELS, group),
            "plan": pick(PLANS, [mix.plans for mix in mixes]),
            "is_annual": rng.random(customers) < ANNUAL["share"],
            "declines": rng.random(customers) < DECLINE["share"],
            "channel": pick(CHANNELS),
            "category": pick(CATEGORIES),
        }
    ).with_columns(pl.col("started").cast(pl.Date))


def log_hazard(cause: str) -> pl.Expr:
    """Planted log of the hazard over the baseline of ``cause``, from the columns of people."""
    ratios = HAZARD_RATIOS[cause]
    terms = [TERMS[term].cast(pl.Float64) * np.log(ratios[term]) for term in TERMS]
    return pl.sum_horizontal(terms).alias(f"log_hazard_{cause}")


def lives(people: pl.DataFrame, seed: int, *, block: int = 0) -> pl.DataFrame:
    """Draw how long they stay, and why they leave: the truth, known to nobody at the time.

    Takes   people(...)
    Returns one row per spell, sorted: customer_id, spell (0, or 1 after a return), started, ended
            (Dates; often long after LAST_DAY), cause, booked (Date the end becomes known)

    Each cause has a latent time from the start of the spell, Weibull with proportional hazards;
    the smallest happens. Whole days: ended = started + floor(time). Some return later than
    RETURNS["after_days"] after their end, and live another spell under the same hazards.

    Source: Bender, Augustin and Blettner (2005), Statistics in Medicine 24:1713; latent causes
    as in Prentice et al. (1978), Biometrics 34:541. Checked by Cox in tests/test_simulate.py.
    """
    rng = np.random.default_rng((seed, block, 1))
    first = _spell(people, rng).with_columns(spell=pl.lit(0))
    away = RETURNS["after_days"] + rng.exponential(RETURNS["mean_further_days"], people.height)
    again = (
        people.with_columns(started=first["ended"] + pl.Series(away).floor() * pl.duration(days=1))
        .filter(pl.Series(rng.random(people.height) < RETURNS["share"]))
        .filter(pl.col("started") <= LAST_DAY)
    )
    second = _spell(again, rng).with_columns(spell=pl.lit(1))
    return pl.concat([first, second]).sort("customer_id", "spell")


def _spell(people: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """One spell for each row, from its ``started``."""
    risk = np.exp(people.select(log_hazard(cause) for cause in CAUSES).to_numpy())
    shape, scale = np.array([(b["shape"], b["scale_days"]) for b in BASELINES.values()]).T
    latent = scale * (rng.exponential(size=risk.shape) / risk) ** (1 / shape)
    cause = latent.argmin(axis=1)
    notice = np.where(cause == 0, rng.integers(NOTICE_DAYS + 1, size=people.height), 0)
    days = np.floor(latent.min(axis=1)).astype(np.int64)
    return people.select(
        "customer_id",
        "started",
        ended=pl.col("started") + pl.duration(days=pl.Series(days)),
        cause=_texts(CAUSES, cause),
        booked=pl.col("started") + pl.duration(days=pl.Series(np.maximum(days - notice, 0))),
    )


def terms(people: pl.DataFrame, lives: pl.DataFrame, seed: int, *, block: int = 0) -> pl.DataFrame:
    """Cut spells into terms of contract, up to LAST_DAY: the truth, with ends not yet booked.

    Returns one row per term, sorted: customer_id, started, ended, cause, booked, plan, amount
            (euros per 30 days), declines (usage falls towards this ``ended``)

    An annual contract is renewed every ANNUAL["term_days"], up to ANNUAL["grace_days"] days late;
    the term before then ended for the cause "renewed", which is no end of the spell. All other
    contracts are one term for the whole spell.
    """
    rng = np.random.default_rng((seed, block, 2))
    late = rng.integers(ANNUAL["grace_days"] + 1, size=people.height)
    price = pl.col("plan").replace_strict(PLANS) * (1 - pl.col("is_annual") * ANNUAL["discount"])
    lasted = pl.min_horizontal("ended", pl.lit(LAST_DAY)) - pl.col("started")
    step = pl.when("is_annual").then(ANNUAL["term_days"]).otherwise(10**6)
    following = pl.col("started").shift(-1).over("customer_id", "spell")
    ends = following.is_null()
    renewed = following - pl.duration(days=pl.col("late") + 1)
    return (
        lives.join(
            people.select("customer_id", "plan", "is_annual", "declines", late=pl.Series(late)),
            on="customer_id",
            maintain_order="left",
        )
        .with_columns(offset=pl.int_ranges(0, lasted.dt.total_days() + 1, step))
        .explode("offset")
        .with_columns(started=pl.col("started") + pl.duration(days="offset"))
        .select(
            "customer_id",
            "started",
            ended=pl.when(ends).then("ended").otherwise(renewed),
            cause=pl.when(ends).then("cause").otherwise(pl.lit("renewed")),
            booked=pl.when(ends).then(pl.max_horizontal("booked", "started")).otherwise(renewed),
            plan="plan",
            amount=price.round(2),
            declines=pl.col("declines") & ends & (pl.col("cause") == "voluntary"),
        )
    )


def phases(
    people: pl.DataFrame, seed: int, setting: str = "separate", *, block: int = 0
) -> pl.DataFrame:
    """Draw how they behave: one row per customer and phase, sorted.

    Returns customer_id, from_date, to_date (null = until LAST_DAY), group, events_per_30d,
            cents_per_order, weekend_share, order_share (the habits kept in this phase)

    A few change group, whatever they were, on the first day after a snapshot, so that 90 days
    later the window shows the new habits only.

    Raises:
        ValueError: ``setting`` is not one of SETTINGS.
    """
    rng = np.random.default_rng((seed, block, 3))
    group = people["group"].cast(pl.Enum(LABELS)).to_physical().to_numpy().astype(np.int64)
    rows = [people.select("customer_id", from_date="started", group=group)]
    for snapshot in SNAPSHOTS[:-1]:
        other = (group + rng.integers(1, len(LABELS), size=people.height)) % len(LABELS)
        moves = (rng.random(people.height) < MOVES) & (people["started"] <= snapshot).to_numpy()
        group = np.where(moves, other, group)
        moved = people.select("customer_id", from_date=snapshot + timedelta(days=1), group=group)
        rows.append(moved.filter(moves))
    table = pl.concat(rows).sort("customer_id", "from_date")
    following = pl.col("from_date").shift(-1).over("customer_id")
    habits = _habits(table["group"].to_numpy(), rng, _groups(setting))
    return table.select(
        "customer_id",
        "from_date",
        to_date=following - pl.duration(days=1),
        group=_texts(LABELS, table["group"].to_numpy()),
        events_per_30d=np.exp(habits[:, 0]),
        cents_per_order=np.exp(habits[:, 1]),
        weekend_share=habits[:, 2],
        order_share=habits[:, 3],
    )


def _groups(setting: str) -> list[Group]:
    """The groups where they lie in this setting."""
    if setting not in SETTINGS:
        raise ValueError(f"setting must be one of {sorted(SETTINGS)}, got {setting!r}")
    drawn = SETTINGS[setting]

    def between(group: Group, field: str) -> float:
        return (1 - drawn) * getattr(group, field) + drawn * getattr(STRAGGLERS, field)

    fields = ("events_per_30d", "euros_per_order", "weekend_share", "order_share")
    return [replace(g, **{field: between(g, field) for field in fields}) for g in GROUPS.values()]


def _habits(label: np.ndarray, rng: np.random.Generator, groups: list[Group]) -> np.ndarray:
    """Coordinates (n, 4) of customers with these labels: drawn again until they may stay."""
    points = np.empty((len(label), 4))
    for index, group in enumerate(groups):
        own = np.flatnonzero(label == index)
        while own.size:
            z = rng.normal(size=(own.size, 4))
            points[own] = group.centre + z * group.spread
            points[own, 1] += group.bend * (z[:, 0] ** 2 - 1)
            own = own[(z**2).sum(axis=1) > 9]
    own = np.flatnonzero(label == len(groups))
    while own.size:
        offset = rng.uniform(-1, 1, (own.size, 4)) * STRAGGLERS.spread
        points[own] = STRAGGLERS.centre + offset
        own = own[np.any([_is_near(points[own], group) for group in groups], axis=0)]
    return points


def _unbent(points: np.ndarray, group: Group) -> np.ndarray:
    """Distance of ``points`` from the centre along each coordinate, the bend straightened."""
    away = points - group.centre
    away[:, 1] -= group.bend * ((away[:, 0] / group.spread[0]) ** 2 - 1)
    return away


def _is_near(points: np.ndarray, group: Group) -> np.ndarray:
    """Whether ``points`` lie in the group or in the valley around it."""
    reach = 3 * np.array(group.spread) + VALLEY
    return ((_unbent(points, group) / reach) ** 2).sum(axis=1) < 1


def log_densities(features: pl.DataFrame, setting: str = "separate") -> np.ndarray:
    """Log of weight times planted density, (n, len(LABELS)): the argmax is Bayes' classifier.

    Takes one row per customer: events_per_30d, cents_per_order_90d, weekend_share_90d,
          order_share_90d, as seen in the 90 days up to a snapshot

    Bells are as wide as habits and NOISE together; that they are cut, and that stragglers keep
    away from them, is left out. Checked in tests/test_simulate.py.
    """
    points = features.select(
        pl.col("events_per_30d", "cents_per_order_90d").log(),
        pl.col("weekend_share_90d", "order_share_90d"),
    ).to_numpy()
    columns = []
    for group in _groups(setting):
        noise = np.tile(NOISE, (len(points), 1))
        slope = 2 * group.bend * (points[:, 0] - group.centre[0]) / group.spread[0] ** 2
        noise[:, 1] += np.abs(slope) * NOISE[0]  # along a bend, noise in events shows in cents
        seen = np.hypot(group.spread, noise)
        squares = (_unbent(points, group) / seen) ** 2
        bell = -(squares / 2 + np.log(seen)).sum(axis=1) - 2 * np.log(2 * np.pi)
        columns.append(np.log(group.weight) + bell)
    even = np.log(STRAGGLERS.weight) - np.log(2 * np.array(STRAGGLERS.spread)).sum()
    return np.column_stack([*columns, np.full(len(points), even)])


def events(
    people: pl.DataFrame, terms: pl.DataFrame, phases: pl.DataFrame, seed: int, *, block: int = 0
) -> pl.DataFrame:
    """Let them live: one row per event, sorted by ``customer_id``, ``at``.

    Returns customer_id, at (Datetime, local time, whole minutes), kind, order_id, amount (euros,
            two decimals; both only for purchases), product, category, channel

    Customers keep to their habits: events come at an even pace, and a quasi-random sequence with
    an offset of their own says which fall on a weekend, which are purchases, and how much is paid.
    Shares over 90 days thus lie within about one event of the planted ones. Events happen on days
    with a contract in force, up to LAST_DAY.

    Source: Kuipers and Niederreiter (1974), Uniform Distribution of Sequences, chapter 2: multiples
    of an irrational number. Checked in tests/test_simulate.py.
    """
    rng = np.random.default_rng((seed, block, 4))
    happened = _happen(_stretches(people, terms, phases), rng)
    n = happened.height

    def mostly(favourite: str, names: tuple[str, ...]) -> pl.Expr:
        other = _texts(names, rng.integers(len(names), size=n))
        return pl.when(pl.Series(rng.random(n) < FAVOURITE)).then(favourite).otherwise(other)

    other_kind = _texts(OTHER_KINDS, _choose(rng, np.array([*OTHER_KINDS.values()]), n))
    number = pl.Series(1 + rng.integers(PRODUCTS, size=n))
    order = pl.int_range(pl.len()) + block * BLOCK * 10_000
    bought = pl.when("is_purchase")
    return happened.with_columns(category=mostly("category", CATEGORIES)).select(
        "customer_id",
        "at",
        kind=bought.then(pl.lit("purchase")).otherwise(other_kind),
        order_id=bought.then(pl.format("o{}", order.cast(pl.String).str.zfill(12))),
        amount=bought.then("amount"),
        product=pl.format("{} {}", "category", number),
        category="category",
        channel=mostly("channel", CHANNELS),
    )


def _stretches(people: pl.DataFrame, terms: pl.DataFrame, phases: pl.DataFrame) -> pl.DataFrame:
    """One row per stretch of days under one contract with one habit, and the weeks it touches."""
    weeks = (pl.col("last") - pl.col("monday")).dt.total_days() // 7 + 1
    return (
        terms.drop("cause", "booked", "plan", "amount")
        .join(phases, on="customer_id")
        .join(people.select("customer_id", "channel", "category"), on="customer_id")
        .with_columns(
            first=pl.max_horizontal("started", "from_date"),
            last=pl.min_horizontal("ended", "to_date", pl.lit(LAST_DAY)),
            per_week=pl.col("events_per_30d") * 7 / 30,
        )
        .filter(pl.col("first") <= pl.col("last"))
        .with_columns(monday=pl.col("first").dt.truncate("1w"))
        .with_columns(events=(weeks * pl.col("per_week")).ceil().cast(pl.Int64))
        .sort("customer_id", "first")
    )


def _happen(stretches: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """Every event of every stretch: when it happens, whether something is bought, and for how much.

    Whole weeks are filled, then cut to the stretch, or its first and last week would lose the
    events that their weekday carries out of it.
    """
    counts = stretches["events"].to_numpy()
    row = np.repeat(np.arange(len(counts)), counts)
    nth = np.arange(len(row)) - np.repeat(counts.cumsum() - counts, counts)
    quasi = (rng.random((len(counts), len(QUASI)))[row] + nth[:, None] * QUASI) % 1
    week = (pl.Series(nth + rng.random(len(counts))[row]) / pl.col("per_week")).floor()
    on_weekend = pl.Series(quasi[:, 0]) < pl.col("weekend_share")
    within = pl.Series(rng.random(len(row)))
    weekday = pl.when(on_weekend).then(5 + (2 * within).floor()).otherwise((5 * within).floor())
    minute = pl.Series(rng.integers(8 * 60, 22 * 60, size=len(row)))
    left = (pl.col("ended") - pl.col("day")).dt.total_days() / DECLINE["days"]
    return (
        stretches[row]
        .with_columns(
            row=pl.Series(row),
            day=pl.col("monday") + pl.duration(days=7 * week + weekday),
            is_purchase=pl.Series(quasi[:, 1]) < pl.col("order_share"),
            amount=(pl.col("cents_per_order") * (0.5 + pl.Series(quasi[:, 2]))).round() / 100,
            stays=pl.Series(quasi[:, 3]),
        )
        .with_columns(at=pl.col("day").cast(pl.Datetime("us")) + pl.duration(minutes=minute))
        .filter(
            pl.col("day").is_between("first", "last"),
            ~pl.col("declines") | (pl.col("stays") < left),
        )
        .sort("row", "at", maintain_order=True)
    )


def world(
    customers: int, seed: int, setting: str = "separate", *, block: int = 0
) -> dict[str, pl.DataFrame]:
    """Draw one block of the world: the tables that ``write`` writes, by name.

    Returns
        customers: customer_id, started, onboarding, payment_method, trial_sessions, region,
            consent_email
        contracts: customer_id, started, ended, cause (voluntary, payment_failure, renewed), plan,
            amount (euros per 30 days), booked. The last day up to which ends are known is
            LAST_DAY: an end not booked by then is null, and so are its cause and booking. To look
            from an earlier snapshot, null those booked after it.
        events: as ``events``
        truth: one row per customer and phase: customer_id, from_date, group, declines,
            true_ended and true_cause (of the first spell, as declines; may be after LAST_DAY),
            log_hazard_voluntary, log_hazard_payment_failure (over the baseline)

    Raises:
        ValueError: ``setting`` is not one of SETTINGS, or as ``people``.
    """
    _groups(setting)
    who = people(customers, seed, block=block)
    spells = lives(who, seed, block=block)
    periods = terms(who, spells, seed, block=block)
    habits = phases(who, seed, setting, block=block)
    known = pl.when(pl.col("booked") <= LAST_DAY)
    first = spells.filter(pl.col("spell") == 0)
    planted = who.join(first, on="customer_id", maintain_order="left").select(
        "customer_id",
        *(log_hazard(cause) for cause in CAUSES),
        declines=pl.col("declines") & (pl.col("cause") == "voluntary"),
        true_ended="ended",
        true_cause="cause",
    )
    return {
        "customers": who.drop("group", "plan", "is_annual", "declines", "channel", "category"),
        "contracts": periods.drop("declines").with_columns(
            known.then(name).alias(name) for name in ("ended", "cause", "booked")
        ),
        "events": events(who, periods, habits, seed, block=block),
        "truth": habits.select("customer_id", "from_date", "group").join(
            planted, on="customer_id", maintain_order="left"
        ),
    }


def write(folder: Path, customers: int, seed: int, setting: str = "separate") -> None:
    """Write a world: customers, contracts, truth, events/part-*.parquet, and truth.json.

    Tables are those of ``world``; the same arguments give the same bytes. Memory is that of one
    block, time grows in proportion to ``customers``.

    Raises:
        FileExistsError: ``folder`` already holds events.
        ValueError: as ``world``.

    Checked in tests/test_simulate.py.
    """
    _groups(setting)
    (folder / "events").mkdir(parents=True)
    with TemporaryDirectory(dir=folder) as parts:
        for block, first in enumerate(range(0, customers, BLOCK)):
            tables = world(min(BLOCK, customers - first), seed, setting, block=block)
            tables.pop("events").write_parquet(folder / f"events/part-{block:05}.parquet", **FILES)
            for name, table in tables.items():
                table.write_parquet(Path(parts) / f"{name}-{block:05}.parquet")
        for name in ("customers", "contracts", "truth"):
            whole = pl.scan_parquet(Path(parts) / f"{name}-*.parquet")
            whole.sink_parquet(folder / f"{name}.parquet", **FILES)
    (folder / "truth.json").write_text(json.dumps(truth(customers, seed, setting), indent=2) + "\n")


def truth(customers: int, seed: int, setting: str) -> dict:
    """Every planted number, ready for JSON."""
    return {
        "customers": customers,
        "seed": seed,
        "setting": setting,
        "first_day": str(FIRST_DAY),
        "snapshots": [str(day) for day in SNAPSHOTS],
        "hazard_ratios": HAZARD_RATIOS,
        "baselines": BASELINES,
        "notice_days": NOTICE_DAYS,
        "returns": RETURNS,
        "decline": DECLINE,
        "moves": MOVES,
        "groups": dict(zip(LABELS, map(asdict, (*_groups(setting), STRAGGLERS)), strict=True)),
        "mixes": {name: asdict(mix) for name, mix in MIXES.items()},
    }


def _choose(rng: np.random.Generator, shares: np.ndarray, n: int) -> np.ndarray:
    """For each of ``n`` an index, drawn with these shares: one row for all, or one each."""
    passed = rng.random((n, 1)) > shares.cumsum(axis=-1)[..., :-1]
    return passed.sum(axis=1)


def _texts(names: Collection[str], codes: np.ndarray) -> pl.Series:
    """The name that each code counts, from 0."""
    return pl.Series(list(names)).gather(codes)
