"""Causes of leaving that compete: published shares, one whole, and every cause counted."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lives import lives

from retention.stats import by_group
from retention.survival import incidence, survival

BMT = {  # Scrucca, Santucci, Aversa (2007), Bone Marrow Transplantation 40:381; 0 = censored
    None: [2, 4, 7, 8, 32, 35, 35, 67, 68, 70, 72],
    "relapse": [0, 1, 3, 3, 3, 4, 4, 8, 12],
    "death": [0, 1, 2, 3, 4, 5, 7, 7, 8, 9, 10, 13, 14, 22, 26],
}


def table(rows: list[tuple], columns: list[str]) -> pl.DataFrame:
    frame = pl.DataFrame(rows, schema=columns, orient="row", infer_schema_length=None)
    return frame.with_row_index("customer_id").with_columns(
        pl.col("customer_id").cast(pl.String), pl.col("cause").cast(pl.String)
    )


def test_shares_are_the_published_ones_whatever_the_ties():
    """A month is added to all, as our days begin with one; it changes no share."""
    rows = [(time + 1, bool(cause), cause) for cause, times in BMT.items() for time in times]
    found = incidence.incidence(table(rows, ["duration_days", "event_observed", "cause"]))

    read = incidence.incidence_at(found, [7, 13, 25])
    assert read.filter(cause="relapse")["incidence"].to_list() == pytest.approx(
        [0.204926, 0.272839, 0.272839], abs=5e-7
    )
    assert read.filter(cause="death")["incidence"].to_list() == pytest.approx(
        [0.175792, 0.340760, 0.446142], abs=5e-7
    )


life = st.tuples(
    st.integers(1, 30), st.sampled_from([None, "a", "b", "?"]), st.integers(0, 20),
    st.sampled_from(["x", "y"]),
)  # fmt: skip


@given(st.lists(life, min_size=1, max_size=60), st.integers(1, 5))
def test_causes_and_those_still_there_are_everybody_on_every_day(rows, least):
    seen = [
        (days, cause is not None, None if cause == "?" else cause, min(entry, days - 1), group)
        for days, cause, entry, group in rows
    ]
    observed = table(seen, ["duration_days", "event_observed", "cause", "entry_days", "group"])
    if not observed["cause"].count():
        assert incidence.incidence(observed).is_empty()
        return

    found = incidence.incidence(observed, "group", least=least)

    left = found.group_by(*by_group.GROUP, "duration_days").agg(pl.col("incidence", "events").sum())
    curves = survival.kaplan_meier(observed, "group", least=least)
    both = left.join(curves, on=[*by_group.GROUP, "duration_days"])
    assert both.height == left.height
    assert np.allclose(both["incidence"] + both["survival"], 1)
    assert (both["events"] == both["events_right"]).all()
    whole = incidence.with_any(found, curves).filter(cause=incidence.ANY)
    assert np.allclose(whole["incidence"], 1 - curves["survival"])


def test_one_cause_alone_is_one_less_survival_with_its_limits():
    data = lives("1 2 3+ 4 6 8+ 9", cause=["a", "a", None, "a", "a", None, "a"])

    found = incidence.incidence(data)

    curve = survival.kaplan_meier(data)
    assert found["incidence"].to_list() == pytest.approx((1 - curve["survival"]).to_list())
    assert found.select("cause", "by", "group").unique().rows() == [("a", "all", "all")]


def test_rare_causes_are_other_and_an_end_without_a_cause_is_not_known():
    causes = ["a"] * 12 + ["b"] * 3 + ["c"] * 9 + [None] * 11
    data = lives(" ".join(["5"] * 35 + ["9+"] * 4), cause=causes + [None] * 4)

    named = incidence.merged(data, 10)

    assert dict(named.filter("event_observed")["cause"].value_counts().rows()) == {
        "a": 12, "other": 12, "not known": 11,
    }  # fmt: skip
    assert named.filter(~pl.col("event_observed"))["cause"].null_count() == 4
    found = incidence.incidence(named, least=4)
    assert found["cause"].unique(maintain_order=True).to_list() == ["a", "not known", "other"]
    assert found.filter(cause="other")["events"].sum() == 12


def test_a_book_without_causes_has_no_shares_and_says_so():
    data = lives("1 2 3+", cause=pl.Series([None] * 3, dtype=pl.String))

    found = incidence.incidence(incidence.merged(data, 10))

    assert found.is_empty()
    assert incidence.with_any(found, survival.kaplan_meier(data)).is_empty()
    read = incidence.incidence_at(found, [30])
    assert incidence.foremost(read)["sentence"].startswith("No cause of leaving is known here")
    assert incidence.headline(read) == incidence.foremost(read)["sentence"]


def test_the_sentence_names_the_most_frequent_cause_by_the_last_day_that_was_reached():
    data = lives("1 2 3 4 20+ 20+ 20+ 20+", cause=list("abbb") + [None] * 4)

    read = incidence.incidence_at(incidence.incidence(data), [10, 90])

    said = incidence.foremost(read)
    assert (said["name"], said["value"]) == ("left_by_b_10_days", pytest.approx(3 / 8))
    assert said["whole"] == "50.0%"
    assert said["ci"][0] < 3 / 8 < said["ci"][1]
    assert incidence.headline(read) == "Within 10 days have left: 38% b, 12% a"
