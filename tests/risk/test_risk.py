"""The risk model on planted odds, on CDNOW beside what others would use, and at its edges."""

from datetime import date
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from lifetimes import BetaGeoFitter
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from retention.book import Book, Churn
from retention.errors import Refused
from retention.risk import backtest, landmarks, risk
from retention.stats import scores
from retention.tables import activity, calendar, task
from retention_demo import readers

CONTRACT = Churn(kind="contract", after_days=30)
BOOK = Book.model_construct(churn=CONTRACT, horizon_days=90)


def planted(n: int, seed: int) -> tuple[pl.DataFrame, np.ndarray]:
    """Rows whose true risk bends in one number, steps with a text and an unknown, ignores another;
    and that risk."""
    rng = np.random.default_rng(seed)
    days, plan = rng.integers(0, 60, n), rng.choice(["basic", "plus", "pro"], n)
    unknown = rng.random(n) < 0.2
    noise = rng.normal(size=n)
    odds = 1.5 * np.sin(np.log1p(days)) - 1.0 * (plan == "pro") + 0.8 * unknown - 1
    truth = 1 / (1 + np.exp(-odds))
    rows = pl.DataFrame(
        {
            "days_since_last_activity": days,
            "plan": plan,
            "ratio": pl.Series(noise).set(pl.Series(unknown), None),
            "left": rng.random(n) < truth,
            "age_risk": pl.Series([None] * n, dtype=pl.Float64),
            "quiet_chance": pl.Series([None] * n, dtype=pl.Float64),
            "silence_ratio": 1.0,
        }
    )
    return rows, truth


PLANTED = ["days_since_last_activity", "ratio", "plan"]


def test_planted_risks_are_found_in_every_tenth():
    rows, truth = planted(40_000, 1)
    model = risk.fit(rows, PLANTED)

    found = risk.risk(model, rows)

    for tenth in range(1, 11):
        there = scores.groups_of(found) == tenth
        assert abs(found[there].mean() - truth[there].mean()) < 0.02
    assert np.corrcoef(found, truth)[0, 1] > 0.98


def test_what_signals_add_makes_up_the_risk_and_the_planted_ones_add_most():
    rows, _ = planted(20_000, 2)
    model = risk.fit(rows, PLANTED)

    effects = risk.effects(model, rows)

    odds = effects.sum(axis=1) + model.usual.sum() + model.intercept
    assert np.allclose(1 / (1 + np.exp(-odds)), risk.risk(model, rows))
    assert np.allclose(np.median(effects, axis=0), 0)
    pro = rows["plan"] == "pro"
    plan = effects[:, 2]
    assert plan[pro.to_numpy()].mean() - plan[~pro.to_numpy()].mean() == pytest.approx(-1, abs=0.1)
    strengths = risk.strengths(effects, PLANTED)
    assert strengths["signal"][0] == "Days since last activity"
    shown = risk.signal_strengths(risk.Scores(rows, strengths))
    assert shown.headline(strengths).startswith("Risks differ most by Days since last activity")


def test_rare_and_new_levels_count_together_and_say_nothing_of_single_customers():
    rows, _ = planted(5_000, 3)
    rare = rows.with_columns(
        plan=pl.when(pl.int_range(pl.len()) < 250)
        .then(pl.format("own {}", pl.int_range(pl.len())))
        .otherwise("plan")
    )
    model = risk.fit(rare, ["plan"])

    asked = pl.DataFrame({"plan": ["new", "own 1", "own 2", "pro"]})

    assert len(set(risk.risk(model, asked)[:3])) == 1
    assert risk.risk(model, asked)[3] < risk.risk(model, asked)[0]
    assert sorted(model.signals[0].levels) == ["basic", "plus", "pro"]


def test_what_is_no_number_is_not_known_and_the_never_unknown_is_taken_for_the_middle():
    rows, _ = planted(5_000, 9)
    odd = rows.with_columns(
        ratio=pl.when(pl.int_range(pl.len()) % 7 == 0).then(float("nan")).otherwise("ratio")
    )
    assert np.isfinite(risk.risk(risk.fit(odd, PLANTED), odd)).all()

    days = risk.fit(rows, ["days_since_last_activity"])
    middle = rows["days_since_last_activity"].median()
    asked = pl.DataFrame({"days_since_last_activity": [None, round(middle)]})
    unknown, known = risk.risk(days, asked)
    assert unknown == pytest.approx(known, abs=0.01)


@pytest.mark.parametrize("model", ["ours", "recency", "null", "boosting"])
def test_every_model_learns_where_a_signal_is_not_known_yet(model):
    rows, _ = planted(2_000, 8)
    early = rows.with_columns(ratio=pl.lit(None, pl.Float64), plan=pl.lit("pro"))

    found = risk.learners(PLANTED)[model](early)(rows)

    assert found.shape == (2_000,)
    assert ((found > 0) & (found < 1)).all()


def test_the_order_of_rows_does_not_matter():
    rows, _ = planted(5_000, 4)
    mixed = rows.sample(fraction=1, shuffle=True, seed=1)

    assert np.allclose(
        risk.risk(risk.fit(rows, PLANTED), rows),
        risk.risk(risk.fit(mixed, PLANTED), rows),
        atol=1e-4,
    )


def test_unknown_signals_are_refused_and_those_that_never_vary_left_out():
    rows, _ = planted(500, 5)
    with pytest.raises(Refused, match=r"'wind' is no feature.*attributes are named under `cova"):
        risk.signals(rows, ["wind"], [])
    varying = risk.signals(rows, ["days_since_last_activity", "silence_ratio"], ["plan"])
    assert varying == ["days_since_last_activity", "plan"]
    with pytest.raises(Refused, match="too few to learn from"):
        risk.fit(rows.filter(~pl.col("left")), PLANTED)


def test_with_fewer_than_a_hundred_of_either_outcome_only_the_silence_and_the_chances_are_used():
    rows, truth = planted(5_000, 5)
    rows = rows.with_columns(quiet_chance=pl.Series(truth))
    signals = [*PLANTED, "quiet_chance"]
    few = pl.concat([rows.filter("left").head(99), rows.filter(~pl.col("left"))])

    assert risk.names_of(risk.fit(rows, signals)) == signals
    assert risk.names_of(risk.fit(few, signals)) == ["days_since_last_activity", "quiet_chance"]
    assert risk.names_of(risk.fit(few, PLANTED)) == ["days_since_last_activity"]
    learner = risk.learners(signals)["BG/NBD"](rows)
    assert np.array_equal(learner(rows), truth)


def test_a_chance_that_one_test_date_does_not_know_is_left_out():
    rows, truth = planted(500, 5)
    rows = rows.with_columns(quiet_chance=pl.Series(truth))
    assert "quiet_chance" in risk.signals(rows, [risk.RECENCY], [])
    some = rows.with_columns(quiet_chance=pl.when(pl.int_range(pl.len()) > 0).then("quiet_chance"))
    assert "quiet_chance" not in risk.signals(some, ["days_since_last_activity"], [])


def test_bands_are_by_rank_and_say_what_came_true():
    rows, _ = planted(2_000, 6)
    customers = rows.with_columns(customer_id=pl.int_range(pl.len()).cast(pl.String))
    judged = risk.judged(risk.fit(rows, PLANTED), customers)
    tested = pl.DataFrame({"band": ["top tenth"], "times": [400], "came_true": [0.7]})
    tested = tested.with_columns(ci_lower=0.65, ci_upper=0.75)

    of = {band: judged.filter(band=band)["risk"] for band in (*risk.BANDS, risk.REST)}
    assert [len(risks) for risks in of.values()] == pytest.approx([200, 400, 1_400], abs=12)
    assert of["top tenth"].min() > of["next fifth"].max() > of["rest"].max()
    shown = risk.bands(SimpleNamespace(book=BOOK), risk.Scores(judged, rows), tested)
    assert shown.table["band"].to_list() == ["top tenth", "next fifth", "rest"]
    assert shown.table["expected_customers"].sum() == pytest.approx(judged["risk"].sum())
    assert "at the test dates 70% of such customers ended their contract within 90 days" in (
        shown.headline(shown.table)
    )
    expected, top = shown.findings(shown.table)
    assert expected.value == pytest.approx(judged["risk"].sum())
    assert (top.value, top.ci) == (0.7, (0.65, 0.75))


def test_an_untested_risk_is_not_given():
    rows, _ = planted(50, 7)
    customers = rows.with_columns(customer_id=pl.int_range(pl.len()).cast(pl.String))

    judged = risk.judged(None, customers)

    assert set(judged["band"]) == {"untested"}
    assert judged["risk"].null_count() == 50
    none = pl.DataFrame(schema={"band": pl.String})
    shown = risk.bands(SimpleNamespace(book=BOOK), risk.Scores(judged, rows), none)
    assert shown.table.is_empty()
    assert shown.empty == "The risk is untested: no band can be shown."
    assert risk.strengths(risk.effects(None, customers), []).is_empty()


@pytest.fixture(scope="module")
def cdnow() -> tuple[pl.DataFrame, pl.DataFrame]:
    """The 1/10 sample: landmarks known on 1997-09-30, and all customers on that day, of whom
    `left` says whether they did not buy again by 1998-06-30."""
    churn = Churn(kind="activity", activity=["purchase"], after_days=90)
    events = readers.cdnow("CDNOW_sample.txt")["events"].collect()
    events = events.select(
        "customer_id",
        "kind",
        day=pl.col("at").cast(pl.Int32).cast(pl.Int64),
        amount_cents=(100 * pl.col("amount")).round().cast(pl.Int64),
        order_id=pl.lit(None, pl.String),
    )
    acts = activity.activity(events)
    people = acts.select("customer_id").unique().sort("customer_id")
    people = people.with_columns(started_day=pl.lit(None, pl.Int64))
    today, end = (calendar.day_of(date(1997, 9, 30)), calendar.day_of(date(1998, 6, 30)))
    then = acts.filter(pl.col("day") <= today)
    derived = task.derive(then.lazy(), people.lazy(), None, churn, today)
    at, stretches = (derived[name].collect().to_native() for name in ("customers_at", "spells"))
    none = pl.LazyFrame(schema={"customer_id": pl.String})
    past = landmarks.Past(at, then.lazy(), none)
    days = landmarks.days(today - 90, stretches["entry_day"].min() + 1, 14, 90, 30)
    rows = landmarks.rows(past, stretches, churn, days, 90)
    at = landmarks.with_signals(at, past, stretches, churn, today, 90)
    later = acts.filter(pl.col("day").is_between(today, end, closed="right"))["customer_id"]
    left = ~pl.col("customer_id").is_in(later.unique().to_list())
    first = then.group_by("customer_id").agg(age_days=today - pl.col("day").min())
    at = at.join(first, on="customer_id").sort("customer_id")
    return rows, at.with_columns(left=left)


def bg_nbd(customers: pl.DataFrame) -> np.ndarray:
    """Less the purchases that BG/NBD expects in the next 39 weeks, by lifetimes."""
    age, silent = (customers[name].to_numpy() / 7 for name in ("age_days", RECENCY))
    frequency = customers["active_days_total"].to_numpy() - 1
    fitter = BetaGeoFitter().fit(frequency, age - silent, age)
    return -np.asarray(
        fitter.conditional_expected_number_of_purchases_up_to_time(39, frequency, age - silent, age)
    )


RECENCY = "days_since_last_activity"


@pytest.mark.filterwarnings("ignore:.*:RuntimeWarning")
def test_cdnow_buying_again_is_ranked_no_worse_than_by_bg_nbd(cdnow):
    rows, at = cdnow
    signals = risk.signals(rows, [], [])
    learners = risk.learners(signals)
    plain = make_pipeline(StandardScaler(), LogisticRegression())
    numbers = ["active_days_total", RECENCY, "tenure_days", "amount_cents_total"]
    plain.fit(rows.select(numbers).to_numpy(), rows["left"].to_numpy())
    said = at.select(
        landmark_day=pl.lit(1, pl.Int64), customer_id="customer_id", left="left"
    ).with_columns(
        ours=pl.Series(learners["ours"](rows)(at)),
        bg_nbd=pl.Series(bg_nbd(at)),
        logistic=pl.Series(plain.predict_proba(at.select(numbers).to_numpy())[:, 1]),
        boosting=pl.Series(learners["boosting"](rows)(at)),
        recency=pl.Series(learners["recency"](rows)(at)),
    )

    apart = backtest.differences(said, draws=1_000)

    with pl.Config(tbl_cols=-1):
        print(apart)
    of = {row["model"]: row for row in apart.iter_rows(named=True)}
    assert said.height == 2_357
    assert of["bg_nbd"]["auc"] == pytest.approx(0.7725, abs=5e-5)
    assert of["bg_nbd"]["ci_lower"] > -0.005
    assert of["bg_nbd"]["auc_ahead"] > 0
