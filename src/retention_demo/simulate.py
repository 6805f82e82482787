"""Customers with planted truth: a contract business whose every answer is known beforehand.

People belong to groups that behave alike, or are stragglers. Their group shifts plan, onboarding,
payment method and trial usage, and these alone decide how soon they leave, and why. What they do
meanwhile follows the habits of their group. Readers see contracts, events and surveys, tests also
the truth.
The business is one in euros, and everybody starts in it on a known day.
"""

from collections.abc import Collection
from pathlib import Path

import numpy as np
import polars as pl

from retention_demo import behaviours, satisfaction
from retention_demo.behaviours import BLOCK, FIRST_DAY, LABELS, LAST_DAY, choose, texts

FILES = {"compression": "zstd", "compression_level": 3, "row_group_size": 1 << 18}

PLANS = {"basic": 19.0, "plus": 39.0, "pro": 79.0}  # euros per 30 days
ANNUAL = {"share": 0.25, "term_days": 365, "discount": 0.15, "grace_days": 5}
PAYMENT_METHODS = ("card", "direct_debit", "invoice")
REGIONS = ("north", "east", "south", "west")  # without effect on anything
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


# What contracts the customers of a group have; nothing else acts on their hazards. Shares of basic,
# plus, pro; of guided and self onboarding; of card, direct debit, invoice; mean of trial sessions.
MIXES = {
    "everyday": ((0.3, 0.5, 0.2), (0.5, 0.5), (0.5, 0.3, 0.2), 4.0),
    "weekend": ((0.4, 0.4, 0.2), (0.7, 1 - 0.7), (0.3, 0.6, 0.1), 4.0),
    "browsing": ((0.7, 0.2, 0.1), (0.5, 0.5), (0.5, 0.3, 0.2), 7.0),
    "stocking": ((0.4, 0.4, 0.2), (0.3, 0.7), (0.5, 0.3, 0.2), 2.0),
    "office": ((0.1, 0.3, 0.6), (0.8, 1 - 0.8), (0.1, 0.2, 0.7), 4.0),
    "straggler": ((0.4, 0.4, 0.2), (0.5, 0.5), (0.5, 0.3, 0.2), 4.0),
}


def people(customers: int, seed: int, *, block: int = 0) -> pl.DataFrame:
    """Draw who they are: one row per customer of one block, sorted by ``customer_id``.

    Returns customer_id, started (Date), onboarding, payment_method, trial_sessions, region,
            consent_email, group (at the start; one of LABELS), plan, is_annual, declines (usage
            falls before a voluntary end), channel and category (the favourites)

    A block is the same whatever other blocks there are, but another if its size is another.

    Checked in tests/demo/test_simulate.py.
    """
    first = block * BLOCK + 1
    rng = np.random.default_rng((seed, block, 0))
    shares = [group.weight for group in (*behaviours.GROUPS.values(), behaviours.STRAGGLERS)]
    group = rng.choice(len(shares), customers, p=shares)
    plans, onboardings, payments, sessions = map(np.array, zip(*MIXES.values(), strict=True))
    number = pl.int_range(first, first + customers, eager=True)
    start = rng.integers((LAST_DAY - FIRST_DAY).days + 1, size=customers)

    def pick(names: Collection[str], shares: np.ndarray | None = None) -> pl.Series:
        shares = np.full(len(names), 1 / len(names)) if shares is None else shares[group]
        return texts(names, choose(rng, shares, customers))

    return pl.DataFrame(
        {
            "customer_id": "c" + number.cast(pl.String).str.zfill(8),
            "started": np.datetime64(FIRST_DAY) + start,
            "onboarding": pick(("guided", "self"), onboardings),
            "payment_method": pick(PAYMENT_METHODS, payments),
            "trial_sessions": rng.poisson(sessions[group]),
            "region": pick(REGIONS),
            "consent_email": rng.random(customers) < 0.7,
            "group": texts(LABELS, group),
            "plan": pick(PLANS, plans),
            "is_annual": rng.random(customers) < ANNUAL["share"],
            "declines": rng.random(customers) < behaviours.DECLINE["share"],
            "channel": pick(behaviours.CHANNELS),
            "category": pick(behaviours.CATEGORIES),
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
    as in Prentice et al. (1978), Biometrics 34:541. Checked by Cox in tests/demo/test_simulate.py.
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
        cause=texts(CAUSES, cause),
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
    own = people.select("customer_id", "plan", "is_annual", "declines", late=pl.Series(late))
    return (
        lives.join(own, on="customer_id", maintain_order="left")
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
        surveys: as ``satisfaction.surveys``
        truth: one row per customer and phase: customer_id, from_date, group, declines,
            true_ended and true_cause (of the first spell, as declines; may be after LAST_DAY),
            log_hazard_voluntary, log_hazard_payment_failure (over the baseline)

    ``setting`` is one of `behaviours.SETTINGS`.
    """
    who = people(customers, seed, block=block)
    spells = lives(who, seed, block=block)
    periods = terms(who, spells, seed, block=block)
    habits = behaviours.phases(who, seed, setting, block=block)
    phases, known = habits["customer_id", "from_date", "group"], pl.col("booked") <= LAST_DAY
    ends = [pl.when(known).then(name).alias(name) for name in ("ended", "cause", "booked")]
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
        "contracts": periods.drop("declines").with_columns(ends),
        "events": behaviours.events(who, periods, habits, seed, block=block),
        "surveys": satisfaction.surveys(who, periods, seed, block=block),
        "truth": phases.join(planted, on="customer_id", maintain_order="left"),
    }


def write(folder: Path, customers: int, seed: int, setting: str = "separate") -> None:
    """Write a world: for each table of ``world`` a folder, with a Parquet file for each block.

    The same arguments give the same bytes. Memory is that of one block, time grows in proportion
    to ``customers``.

    Raises:
        FileExistsError: ``folder`` already holds a world.

    Checked in tests/demo/test_simulate.py.
    """
    for block, first in enumerate(range(0, customers, BLOCK)):
        tables = world(min(BLOCK, customers - first), seed, setting, block=block)
        for name, table in tables.items():
            (folder / name).mkdir(parents=True, exist_ok=block > 0)
            table.write_parquet(folder / name / f"part-{block:05}.parquet", **FILES)
