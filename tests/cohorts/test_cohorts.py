"""Who belongs to which cohort."""

import polars as pl
import pytest
from drawing import day, drawn
from hypothesis import given
from hypothesis import strategies as st

from retention.cohorts import cohorts
from retention.errors import Refused
from retention.tables import calendar


def starts_of(days: list[int], **columns) -> pl.DataFrame:
    ids = [f"c{number:04}" for number in range(len(days))]
    return pl.DataFrame({"customer_id": ids, "start_day": days, **columns})


def test_who_started_before_the_data_or_on_an_unknown_day_is_in_no_cohort():
    stretches = drawn("""
        | customer_id | spell | entry_day | start_day | excluded      |
        | late        | 1     | 100       | 40        |               |
        | within      | 1     | 120       | 120       |               |
        | within      | 2     | 220       | 220       |               |
        | new         | 1     | 300       | 300       | too_new       |
        | unknown     | 1     | 100       | 100       | unknown_start |
    """)

    assert cohorts.starts(stretches).rows() == [("within", 120), ("new", 300)]


def test_small_months_are_taken_together_with_their_neighbours():
    months = ["2025-01-10"] * 3 + ["2025-02-01"] * 1 + ["2025-03-31"] * 2 + ["2025-05-02"] * 1
    known = starts_of([day(on) for on in months])

    found = cohorts.divide(known, ["start_month"], 3)

    assert found["start_month"].group_by("cohort").len().sort("cohort").rows() == [
        ("2025-01", 3),
        ("2025-02 to 2025-05", 4),
    ]
    assert set(found["start_month"]["until_day"]) == {day("2025-01-31"), day("2025-05-31")}
    assert found["all"]["until_day"].to_list() == found["start_month"]["until_day"].to_list()
    assert set(found["all"]["cohort"]) == {"all"}


@given(
    st.lists(st.tuples(st.integers(0, 400), st.sampled_from("aaabbc")), min_size=1, max_size=60),
    st.integers(1, 12),
)
def test_every_step_of_every_cohort_stands_for_enough_customers(people, min_cell):
    known = starts_of([19_000 + d for d, _ in people], plan=[plan for _, plan in people])

    found = cohorts.divide(known, ["start_month", "start_week", "plan"], min_cell)

    for frame in found.values():
        if len(people) < min_cell:
            assert frame.is_empty()
            continue
        assert sorted(frame["customer_id"]) == known["customer_id"].to_list()
        assert frame.group_by("cohort", "until_day").len()["len"].min() >= min_cell
        assert (frame["until_day"] >= frame["start_day"]).all()
    members, cells = cohorts.cells(found)
    for by, frame in found.items():
        again = members.join(cells.filter(cohort_by=by), on="cell").select(frame.columns)
        assert again.sort("customer_id").equals(frame.sort("customer_id"))


def test_weeks_begin_on_monday():
    known = starts_of([day("2025-06-01"), day("2025-06-02"), day("2025-06-08")])  # Sunday first

    found = cohorts.divide(known, ["start_week"], 1)["start_week"]

    assert found["cohort"].to_list() == ["2025-05-26", "2025-06-02", "2025-06-02"]
    assert calendar.date_of(found["until_day"][2]).isoformat() == "2025-06-08"


HABITS = drawn("""
    | customer_id | channel | hour | first_day |
    | a           | web     | 9    | 100       |
    | a           | app     | 8    | 100       |
    | a           | shop    | 7    | 101       |
    | b           | app     |      | 100       |
    | b           | web     |      | 100       |
    | c           | web     | 9    | 99        |
    | d           | shop    |      | 100       |
""")
BASKETS = drawn("""
    | customer_id | day | product | category | amount_cents |
    | a           | 100 | tea     | drinks   | 300          |
    | a           | 100 | cup     | china    | 200          |
    | a           | 100 | pot     | china    | 200          |
    | b           | 100 | tea     | drinks   | 200          |
    | b           | 100 | cup     | china    | 200          |
    | c           | 101 | tea     | drinks   | 900          |
""")


def test_first_channel_and_product_are_those_of_the_day_of_the_start_alone():
    known = pl.DataFrame({"customer_id": list("abcd"), "start_day": [100] * 4})

    seen = cohorts.first_seen(known, HABITS.lazy(), BASKETS.lazy(), cohorts.FIRST)

    assert seen.rows() == [
        ("a", "app", "tea", "china"),  # china cost more than tea together
        ("b", "several", "several", "several"),
        ("c", None, None, None),  # nothing on that day; what came later is not the first
        ("d", "shop", None, None),
    ]
    one = cohorts.first_seen(known, HABITS.lazy(), BASKETS.lazy(), ["first_product"])
    assert one.columns == ["customer_id", "first_product"]
    groups = cohorts.divide(known.join(one, on="customer_id"), ["first_product"], 1)
    assert set(groups["first_product"]["cohort"]) == {"tea", "several", cohorts.NONE_YET}


def test_plan_and_attributes_are_known_at_the_start_and_features_are_not():
    known = pl.DataFrame({"customer_id": ["b", "a"], "start_day": [1, 2]})
    stretches = pl.DataFrame(
        {"customer_id": ["a", "a", "b"], "spell": [1, 2, 1], "plan": ["pro", "basic", None]}
    )
    customers = pl.DataFrame({"customer_id": ["a", "b"], "region": ["n", "s"], "tenure_days": 9})

    found = cohorts.known_at_start(known, stretches, customers, known.select("customer_id"))

    assert found.columns == ["customer_id", "start_day", "plan", "region"]
    assert found.rows() == [("a", 2, "pro", "n"), ("b", 1, None, "s")]


def test_an_attribute_that_nobody_knows_is_refused_by_name_and_one_level_says_nothing():
    known = starts_of([1, 2, 3], plan=["a", "a", "a"])

    with pytest.raises(Refused, match=r"no attribute 'color' .* start_month, plan\)"):
        cohorts.divide(known, ["color"], 1)
    found = cohorts.divide(known, ["plan"], 1)
    assert list(found) == ["all"]
    assert "by plan" in cohorts.divided_by(found, ["plan"])
    many = cohorts.divide(starts_of([1, 2, 3], plan=["a", "b", "b"]), ["plan"], 1)
    assert "Cohorts by plan (2)" in cohorts.divided_by(many, ["plan"])


def test_numbers_of_many_values_are_divided_into_quarters():
    known = starts_of([1] * 40, age=list(range(40)))

    assert cohorts.divide(known, ["age"], 5)["age"]["cohort"].n_unique() == 4
