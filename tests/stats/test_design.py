"""What a regression cannot bear is left out or merged, and said: bad designs of every kind."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retention.stats import design, proportional

RNG = np.random.default_rng(3)
N = 400
DURATIONS = RNG.integers(1, 200, N)
EVENTS = RNG.random(N) < 0.6
X = RNG.normal(size=N)


def checked(least=10, own=design.SAME, steps=True, **columns):
    frame = pl.DataFrame(columns)
    return design.checked(frame, DURATIONS, EVENTS, least=least, same=own, steps=steps)


def said(**columns):
    return {term: f"{done}: {why}" for term, done, why, _ in checked(**columns).done.rows()}


@pytest.mark.parametrize("same", [[1.0] * N, ["a"] * N, [1e15] * N, [True] * N, [7] * N])
def test_what_never_varies_is_left_out(same):
    assert said(x=X, same=same) == {"same": "left out: every customer has the same value"}


def test_what_follows_from_others_is_left_out_and_says_from_which():
    y = RNG.normal(size=N)
    answer = checked(x=X, y=y, copy=3 * X + 2, sum=X + y, near=X + 1e-5 * y)

    assert answer.columns.columns == ["x: one more", "y: one more"]
    assert dict(answer.done.select("term", "why").rows()) == {
        "copy: one more": "follows from x: one more",
        "sum: one more": "follows from x: one more and y: one more",
        "near: one more": "follows from x: one more",
    }
    assert checked(x=X, y=X + 0.3 * y).columns.width == 2
    assert checked(x=X, y=X + 0.3 * y, own=0.1).columns.width == 1


@pytest.mark.parametrize("sign", [1, -1])
def test_what_orders_everybody_who_left_is_separating_and_what_nearly_does_is_not(sign):
    first = (DURATIONS < 20) & EVENTS
    assert "separates" in said(a=sign * first.astype(float))["a: one more"]
    assert "separates" in said(a=-sign * DURATIONS.astype(float))["a: 10 more"]
    assert said(a=sign * np.where(RNG.random(N) < 0.1, 1.0, first)) == {}


def test_levels_with_too_few_customers_or_ends_become_other_and_the_large_ones_are_named():
    level = np.repeat(["big", "middle", "loyal", "few", "tiny"], [200, 150, 30, 15, 5])
    events = (EVENTS & (level != "loyal")) | (level == "tiny")
    answer = design.checked(pl.DataFrame({"plan": level}), DURATIONS, events, least=10)

    assert [name.split()[1] for name in answer.columns.columns] == ["few", "middle", "other"]
    [(term, done, why, n)] = answer.done.rows()
    assert (term, done, n) == ("plan", "merged into other", 35)
    assert why.startswith("2 of 5 levels, such as loyal: fewer than 10 customers or 5 ends")
    assert answer.columns["plan: other against big"].sum() == 35


def test_other_is_never_small_and_never_one_of_two_that_are_one():
    level = np.array(["big"] * 376 + ["middle"] * 20 + ["tiny"] * 4)

    assert checked(plan=level).columns.columns == ["plan: other against big"]
    assert "but for one" in said(plan=np.array(["big"] * 396 + ["tiny"] * 4))["plan"]
    many = checked(city=np.arange(N) % 30, town=(np.arange(N) % 20).astype(str)).columns.columns
    assert sum(name.startswith("town") for name in many) == design.MOST_LEVELS - 1


def test_a_number_that_hardly_varies_is_left_out_and_small_counts_are_not_told():
    rare = np.zeros(N)
    rare[:6] = 1
    late = np.where(EVENTS, 0.0, (np.arange(N) % 2).astype(float))
    assert "but for one value, fewer than 10 customers or 5 ends" in said(x=rare)["x"]
    assert "left out" in said(x=late)["x"]
    assert "left out" in said(x=rare * X)["x"]
    few = checked(x=np.where(np.arange(N) < 6, np.nan, X))
    assert few.done.rows() == [("x", "taken as the average", "not known", None)]


def test_the_unknown_is_a_level_or_a_term_of_its_own_and_changes_no_ratio_of_the_known():
    unknown = np.arange(N) % 4 == 0
    plan = pl.Series(np.where(unknown, "", "pro")).replace("", None)
    both = checked(x=np.where(unknown, np.inf, X), plan=plan)

    assert both.columns.columns == ["x: one more", "x: not known against known"]
    assert both.columns["x: one more"].filter(pl.Series(unknown)).abs().max() == 0
    assert both.columns["x: not known against known"].sum() == 100
    rows = {(term, done): n for term, done, _, n in both.done.rows()}
    assert rows["x", "taken as the average, with a term of its own"] == 100
    assert rows["plan", "a level of its own"] == 100
    assert ("plan: not known against pro", "left out") in rows
    assert said(x=np.full(N, np.nan)) == {"x": "left out: not known for anybody"}


STEPS = {1: "one", 1e12: "1,000,000,000,000", 250: "100", 1e-7: "1e-08"}


@pytest.mark.parametrize(("scale", "step"), STEPS.items())
def test_a_number_is_counted_in_a_step_that_suits_it(scale, step):
    x = X / X.std() * scale * (0.99 if scale < 1 else 1.01) + 50 * scale
    answer = checked(x=x)

    assert answer.columns.columns == [f"x: {step} more"]
    assert abs(answer.columns.to_series().mean()) < 1e-9
    assert 0.5 < answer.columns.to_series().std() < 20
    assert checked(x=x, steps=False).columns.columns == ["x"]


def test_a_ratio_is_that_of_the_step():
    lives = proportional.Lives(DURATIONS, EVENTS)
    one = proportional.ratios(pl.DataFrame({"x": X}), lives).ratios
    step = proportional.ratios(pl.DataFrame({"x": X * 1e9 + 1e10}), lives).ratios

    logs = [np.log(table["hazard_ratio"].item()) for table in (one, step)]
    steps = float(step["term"].item().split()[1].replace(",", "")) / 1e9
    assert logs[1] == pytest.approx(logs[0] * steps, rel=1e-6)


NASTY = {
    "constant": lambda rng, n, d, e: np.full(n, rng.choice([0.0, 1e300, 5])),
    "rare": lambda rng, n, d, e: (np.arange(n) < rng.integers(1, 8)).astype(float),
    "separating": lambda rng, n, d, e: e.astype(float),
    "mirror": lambda rng, n, d, e: np.where(e, 0.0, rng.random(n)),
    "leaking": lambda rng, n, d, e: d * rng.uniform(0.9, 1.1, n),
    "exact": lambda rng, n, d, e: d.astype(float),
    "early": lambda rng, n, d, e: ((d < np.median(d)) & e).astype(float),
    "huge": lambda rng, n, d, e: rng.normal(size=n) * 10.0 ** rng.integers(-30, 30),
    "far": lambda rng, n, d, e: 1e14 + rng.normal(size=n),
    "wild": lambda rng, n, d, e: rng.standard_cauchy(n) ** 5,
    "unknown": lambda rng, n, d, e: np.where(rng.random(n) < rng.random(), np.nan, rng.random(n)),
    "telling": lambda rng, n, d, e: np.where(e, rng.random(n), np.nan),
    "never": lambda rng, n, d, e: np.full(n, np.nan),
    "levels": lambda rng, n, d, e: rng.integers(0, 40, n).astype(str),
    "skewed": lambda rng, n, d, e: rng.geometric(0.5, n).astype(str),
    "reason": lambda rng, n, d, e: np.where(e, rng.choice(["a", "b"], n), None),
    "truth": lambda rng, n, d, e: rng.random(n) < 0.5,
    "plain": lambda rng, n, d, e: rng.normal(size=n),
}


@given(
    st.integers(0, 2**32),
    st.integers(1, 250),
    st.lists(st.sampled_from([*NASTY, "copy", "sum"]), min_size=1, max_size=5, unique=True),
    st.booleans(),
)
def test_any_design_is_fitted_or_says_why_not_and_drops_nothing_in_silence(seed, n, kinds, late):
    rng = np.random.default_rng(seed)
    durations, events = rng.integers(1, rng.integers(2, 300), n), rng.random(n) < rng.random()
    entry = rng.integers(0, durations) if late else None
    columns = {
        kind: pl.Series(kind, NASTY[kind](rng, n, durations, events).tolist(), strict=False)
        for kind in kinds
        if kind in NASTY
    }
    numbers = [c for c in columns.values() if c.dtype == pl.Float64]
    if "copy" in kinds and numbers:
        columns["copy"] = numbers[0].alias("copy") * -3
    if "sum" in kinds and len(numbers) > 1:
        columns["sum"] = (numbers[0] + numbers[1]).alias("sum")
    frame = pl.DataFrame(list(columns.values()))

    answer = proportional.ratios(frame, proportional.Lives(durations, events, entry))

    terms = {*answer.ratios["term"], *answer.done["term"]}
    if "every term" not in terms:
        for name in frame.columns:
            assert any(term.split(":")[0] == name for term in terms), (name, terms)
    ratios = answer.ratios.drop("proportional")
    assert ratios.drop_nulls().height == ratios.height
    assert ratios["hazard_ratio"].is_between(ratios["ci_lower"], ratios["ci_upper"]).all()
    assert ratios["hazard_ratio"].is_finite().all()
    assert all(why and done for done, why in answer.done.select("done", "why").iter_rows())
    assert answer.ratios.is_empty() == bool(proportional.why_none(answer))
