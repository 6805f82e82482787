"""What simulated customers say when they are asked: scores that follow how content they are.

How content follows onboarding, which everybody can see, and falls while usage falls before a
voluntary end. Whether they answer at all follows usage alone: of who uses less, fewer answer, and
these are the least content. So those who answer are happier than all who were asked.
"""

from datetime import timedelta

import numpy as np
import polars as pl

from retention_demo.behaviours import DECLINE, FIRST_DAY, LAST_DAY, choose, texts

WAVE_DAYS = 91  # from one day on which customers are asked to the next
FIRST_WAVE = FIRST_DAY + timedelta(days=46)  # about the middle of a quarter
ASKED = {"nps": 0.5, "csat": 0.3}  # share of customers under contract whom a wave asks this
ANSWERS = {"steady": 0.45, "declining": 0.15}  # share of the asked who answer, by their use
ANSWER_DAYS = 14  # an answer comes on one of so many days, the day of the question the first
LEVELS = ("low", "middle", "high")
CONTENT = {  # shares of LEVELS: of nps detractors, passives and promoters
    "guided": (0.15, 0.35, 0.50),
    "self": (0.30, 0.35, 0.35),
    "declining": (0.65, 0.25, 0.10),  # whatever the onboarding was
}
SCORES = {"nps": ((0, 6), (7, 8), (9, 10)), "csat": ((1, 2), (3, 3), (4, 5))}  # by level


def waves() -> list:
    """The days on which customers are asked, up to LAST_DAY."""
    days = (LAST_DAY - FIRST_WAVE).days // WAVE_DAYS
    return [FIRST_WAVE + timedelta(days=WAVE_DAYS * number) for number in range(days + 1)]


def asked(people: pl.DataFrame, terms: pl.DataFrame) -> pl.DataFrame:
    """Whom a wave may ask, and what is planted about them: one row per customer and wave, sorted.

    Takes   `simulate.people`, `simulate.terms`
    Returns customer_id, sent (Date), group (a key of CONTENT): customers under contract on the day
            of a wave; ``declining`` in the DECLINE["days"] days before a voluntary end towards
            which their usage falls
    """
    sent, left = pl.col("sent"), (pl.col("ended") - pl.col("sent")).dt.total_days()
    falls = pl.col("declines") & (left < DECLINE["days"])
    group = pl.when(falls).then(pl.lit("declining")).otherwise("onboarding")
    return (
        terms.select("customer_id", "started", "ended", "declines")
        .join(pl.DataFrame({"sent": waves()}), how="cross")
        .filter(sent.is_between("started", "ended"))
        .join(people.select("customer_id", "onboarding"), on="customer_id")
        .select("customer_id", "sent", group=group)
        .sort("customer_id", "sent")
    )


def surveys(
    people: pl.DataFrame, terms: pl.DataFrame, seed: int, *, block: int = 0
) -> pl.DataFrame:
    """Ask them, wave by wave: one row per survey, sorted by ``customer_id``, ``sent``.

    Takes   `simulate.people`, `simulate.terms`
    Returns customer_id, sent, answered (Dates), kind (nps, csat), score; answered and score are
            null where no answer came up to LAST_DAY

    Given usage, answering does not depend on how content a customer is.
    Checked in tests/demo/test_satisfaction.py.
    """
    rng = np.random.default_rng((seed, block, 5))
    rows = asked(people, terms)
    shares = np.array([*ASKED.values(), 1 - sum(ASKED.values())])
    kind = choose(rng, shares, rows.height)
    group = rows["group"].to_numpy()
    level = choose(rng, np.array([CONTENT[name] for name in group]), rows.height)
    use = np.where(group == "declining", "declining", "steady")
    answers = rng.random(rows.height) < np.array([ANSWERS[name] for name in use])
    within, delay = rng.random(rows.height), rng.integers(ANSWER_DAYS, size=rows.height)
    low, high = np.array([*SCORES.values(), ((0, 0),) * len(LEVELS)])[kind, level].T
    came = pl.col("sent") + pl.duration(days=pl.Series(delay))
    there = pl.Series(answers) & (came <= LAST_DAY)
    score = np.floor(low + within * (high - low + 1)).astype(np.int64)
    return rows.select(
        "customer_id",
        "sent",
        answered=pl.when(there).then(came),
        kind=texts([*ASKED, ""], kind),
        score=pl.when(there).then(pl.Series(score)),
    ).filter(pl.col("kind") != "")
