"""Events to activity, habits and baskets: on drawn tables, on published totals."""

import narwhals as nw
import polars as pl
from drawing import drawn
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from retention.tables import activity, calendar
from retention_demo import readers

EVENTS = drawn("""
  | customer_id | day | second | kind     | order_id | amount_cents | product | category | channel |
  | ann         | 4   | 32400  | purchase | o1       | 100          | tea     | drinks   | web     |
  | ann         | 4   | 35999  | purchase | o1       | 250          | cup     |          | web     |
  | ann         | 4   | 61200  | purchase | o2       | 0            | tea     | drinks   | shop    |
  | ann         | 4   | 61201  | visit    |          |              |         |          | web     |
  | ann         | 7   |        | visit    |          |              | tea     |          |         |
  | bob         | 4   | 32400  | purchase |          | 500          |         | drinks   | web     |
  | bob         | 4   | 32400  | purchase |          | 700          |         | drinks   | web     |
  | bob         | 11  | 86399  | purchase |          | 10           |         |          | web     |
""")


def assert_same(found: pl.DataFrame, text: str) -> None:
    expected = drawn(text)
    assert_frame_equal(found, expected, check_row_order=False)


def test_an_order_is_a_distinct_order_id_or_without_one_an_event_with_an_amount():
    assert_same(
        activity.activity(EVENTS),
        """
        | customer_id | day | kind     | events | orders | amount_cents |
        | ann         | 4   | purchase | 3      | 2      | 350          |
        | ann         | 4   | visit    | 1      | 0      | 0            |
        | ann         | 7   | visit    | 1      | 0      | 0            |
        | bob         | 4   | purchase | 2      | 2      | 1200         |
        | bob         | 11  | purchase | 1      | 1      | 10           |
    """,
    )


def test_habits_count_events_by_channel_weekday_and_hour():
    assert_same(
        activity.habits(EVENTS),
        """
        | customer_id | channel | weekday | hour | events | first_day |
        | ann         | web     | 0       | 9    | 2      | 4         |
        | ann         | shop    | 0       | 17   | 1      | 4         |
        | ann         | web     | 0       | 17   | 1      | 4         |
        | ann         |         | 3       |      | 1      | 7         |
        | bob         | web     | 0       | 9    | 2      | 4         |
        | bob         | web     | 0       | 23   | 1      | 11        |
    """,
    )


def test_baskets_hold_what_was_bought_where_a_product_or_category_is_named():
    assert_same(
        activity.baskets(EVENTS),
        """
        | customer_id | day | product | category | amount_cents |
        | ann         | 4   | tea     | drinks   | 100          |
        | ann         | 4   | cup     |          | 250          |
        | bob         | 4   |         | drinks   | 1200         |
    """,
    )


def test_weekdays_are_those_of_the_calendar():
    days = pl.DataFrame({"day": range(-400, 400)}, schema={"day": pl.Int64})
    found = nw.from_native(days).select(weekday=activity.weekday())["weekday"].to_list()
    assert found == [calendar.date_of(day).weekday() for day in days["day"]]


LINES = st.lists(
    st.tuples(
        st.sampled_from("ab"),
        st.integers(0, 3),
        st.sampled_from(["purchase", "visit"]),
        st.sampled_from([None, "o1", "o2"]),
        st.none() | st.integers(0, 9),
    ),
    max_size=30,
)


@given(LINES)
def test_activity_is_that_of_a_literal_count(lines):
    schema = {
        "customer_id": pl.String,
        "day": pl.Int64,
        "kind": pl.String,
        "order_id": pl.String,
        "amount_cents": pl.Int64,
    }
    found = activity.activity(pl.DataFrame(lines, schema=schema, orient="row"))
    expected = []
    for key in sorted({line[:3] for line in lines}):
        mine = [line for line in lines if line[:3] == key]
        orders = {line[3] for line in mine if line[3]}
        loose = [line for line in mine if line[3] is None and line[4] is not None]
        money = sum(line[4] or 0 for line in mine)
        expected.append((*key, len(mine), len(orders) + len(loose), money))
    assert sorted(found.rows()) == expected


def cdnow(file: str) -> pl.DataFrame:
    """Activity of a CDNOW file: one row per customer and day, since all are purchases."""
    cents = (pl.col("amount") * 100).round().cast(pl.Int64)
    unnumbered = pl.lit(None, pl.String).alias("order_id")
    events = readers.cdnow(file)["events"].with_columns(unnumbered, day="at", amount_cents=cents)
    return activity.activity(events).collect()


def test_cdnow_has_its_published_totals():
    days = cdnow("CDNOW_master.txt")
    once = days.group_by("customer_id").len().filter(pl.col("len") == 1)

    assert days["customer_id"].n_unique() == 23_570
    assert days["events"].sum() == days["orders"].sum() == 69_659
    assert days["amount_cents"].sum() == 250_031_563
    assert once.height == 12_054


def test_the_cdnow_sample_has_its_published_totals():
    days = cdnow("CDNOW_sample.txt")

    assert days["customer_id"].n_unique() == 2_357
    assert days["events"].sum() == 6_919
    assert days.height == 6_696
    assert days["amount_cents"].sum() == 24_409_194
