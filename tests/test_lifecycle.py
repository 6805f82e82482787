import polars as pl
import pytest

from retention.analysis import lifecycle

# spell, in_risk_set, tenure_days, days_since_last_activity, expected; new_days 30, silent_days 45
CASES = [
    (None, False, None, None, "never active"),
    (1, False, 400, 120, "gone"),
    (1, True, 30, 3, "new"),
    (1, True, 31, 3, "active"),
    (1, True, 200, 45, "active"),
    (1, True, 200, 46, "silent"),
    (2, True, 10, 3, "returned"),
    (2, True, 90, 60, "silent"),
    (1, True, 200, None, "silent"),
]


def test_every_customer_is_in_exactly_one_stage():
    frame = pl.DataFrame(
        CASES,
        schema=["spell", "in_risk_set", "tenure_days", "days_since_last_activity", "expected"],
        orient="row",
    )

    staged = frame.with_columns(lifecycle.stage(new_days=30, silent_days=45))

    assert staged["lifecycle"].to_list() == staged["expected"].to_list()


def test_shares_add_up_and_follow_a_life():
    frame = pl.DataFrame(
        {"lifecycle": ["gone", "active", "new", "active"], "amount_cents_365d": [0, 300, 100, 0]}
    )

    shares = lifecycle.shares(frame)

    assert shares.select("lifecycle", "n", "share", "share_of_amount").rows() == [
        ("new", 1, 0.25, 0.25),
        ("active", 2, 0.5, 0.75),
        ("gone", 1, 0.25, 0.0),
    ]
    assert (shares["ci_lower"] < shares["share"]).all()
    assert (shares["ci_upper"] > shares["share"]).all()


def test_where_nobody_spends_no_share_of_amount_is_claimed():
    frame = pl.DataFrame({"lifecycle": ["new", "gone"], "amount_cents_365d": [0, 0]})

    assert lifecycle.shares(frame)["share_of_amount"].to_list() == [None, None]


def test_quartiles_name_what_is_known():
    frame = pl.DataFrame(
        {
            name: [1, 2, 3, 4, None]
            for name in (
                "tenure_days",
                "days_since_last_activity",
                "active_days_90d",
                "orders_90d",
                "amount_cents_90d",
                "amount_cents_365d",
            )
        }
    )

    row = lifecycle.quartiles(frame, min_cell=4).row(0, named=True)

    assert (
        row
        == {"feature": "tenure_days", "n": 4}
        | pytest.approx({"lower": 1.75, "median": 2.5, "upper": 3.25}).expected
    )


def test_quartiles_of_too_few_are_left_out():
    frame = pl.DataFrame(
        {
            name: [1, 2, None]
            for name in (
                "tenure_days",
                "days_since_last_activity",
                "active_days_90d",
                "orders_90d",
                "amount_cents_90d",
                "amount_cents_365d",
            )
        }
    )

    assert lifecycle.quartiles(frame, min_cell=3).is_empty()


def test_the_headline_names_the_largest_stage_that_is_shown():
    shares = pl.DataFrame({"lifecycle": ["gone", "new", "silent"], "share": [0.5, 0.2, None]})
    assert lifecycle.headline(shares) == "Gone is the largest stage"
    hidden = shares.with_columns(share=pl.lit(None, pl.Float64))
    assert lifecycle.headline(hidden) == "Every stage is too small to be shown"
