"""Causes of leaving that compete: one whole, and every cause counted. Published shares are those of
tests/stats/test_incidence.py."""

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from lives import lives

from retention.stats import by_group
from retention.survival import groups, incidence, survival


def table(rows: list[tuple], columns: list[str]) -> pl.DataFrame:
    frame = pl.DataFrame(rows, schema=columns, orient="row", infer_schema_length=None)
    return frame.with_row_index("customer_id").with_columns(
        pl.col("customer_id").cast(pl.String), pl.col("cause").cast(pl.String)
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


def test_rare_causes_are_other_and_an_end_without_a_cause_is_not_known():
    causes = ["a"] * 12 + ["b"] * 3 + ["c"] * 9 + [None] * 11
    data = lives(" ".join(["5"] * 35 + ["9+"] * 4), cause=causes + [None] * 4)

    named = groups.causes_merged(data, 10)

    assert dict(named.filter("event_observed")["cause"].value_counts().rows()) == {
        "a": 12, "other": 12, "not known": 11,
    }  # fmt: skip
    assert named.filter(~pl.col("event_observed"))["cause"].null_count() == 4
    found = incidence.incidence(named, least=4)
    assert found["cause"].unique(maintain_order=True).to_list() == ["a", "not known", "other"]
    assert found.filter(cause="other")["events"].sum() == 12


def test_a_book_without_causes_has_no_shares():
    data = lives("1 2 3+", cause=pl.Series([None] * 3, dtype=pl.String))

    assert incidence.incidence(groups.causes_merged(data, 10)).is_empty()


def test_the_headline_lists_causes_of_the_last_day_that_was_reached_the_most_frequent_first():
    data = lives("1 2 3 4 20+ 20+ 20+ 20+", cause=list("abbb") + [None] * 4)

    read = by_group.read(incidence.incidence(data), [10, 90])

    assert incidence.headline(read) == "Within 10 days have left: 38% b, 12% a"
    assert incidence.headline(read.clear()).endswith("not yet for the chosen days")
