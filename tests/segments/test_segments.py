"""What sets a segment apart: drawn tables, and slow literal computations."""

from math import sqrt

import numpy as np
import polars as pl
import pytest
from drawing import drawn
from hypothesis import given
from hypothesis import strategies as st
from opened import opened
from scipy.stats import binomtest, norm

from retention import charts
from retention.errors import Refused
from retention.refresh import Refresh
from retention.segments import segments

CUSTOMERS = drawn("""
    | customer_id | in_risk_set | tenure_days | amount_cents_365d |
    | ann         | true        | 10          | 300               |
    | bob         | true        | 20          | 100               |
    | cay         | true        | 30          | 0                 |
    | dan         | true        | 40          | 0                 |
    | eve         | false       | 50          | 900               |
""")
MEMBERS = drawn("""
    | customer_id | segment |
    | ann         | s1      |
    | bob         | s2      |
    | cay         | s1      |
    | eve         | s1      |
""")
STAGES = drawn("""
    | customer_id | lifecycle |
    | ann         | new       |
    | bob         | active    |
    | cay         | active    |
    | dan         | active    |
    | eve         | gone      |
""")
KNOWN = drawn("""
    | segment | name     | kind    | n | share_of_customers | share_of_amount | tenure_days |
    | s1      | Families | cluster | 2 | 0.5                | 0.75            | 20.0        |
    | s2      | Singles  | rule    | 1 | 0.25               | 0.25            | 20.0        |
""")
HABITS = drawn("""
    | customer_id | channel | weekday | hour | events |
    | ann         | web     | 6       | 0    | 3      |
    | ann         | shop    | 0       | 5    | 1      |
    | ann         |         | 0       | 6    | 4      |
    | bob         | web     | 0       | 23   | 2      |
    | eve         | web     | 3       | 12   | 9      |
""")
ACTIVITY = drawn("""
    | customer_id | ago | kind  | events |
    | ann         | 90  | visit | 7      |
    | ann         | 89  | visit | 2      |
    | ann         | 0   | visit | 1      |
    | bob         | 0   | visit | 1      |
    | bob         | 0   | call  | 4      |
    | eve         | 0   | visit | 9      |
""")


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """Opens the refresh of the tables above, for a segment."""
    monkeypatch.chdir(tmp_path)
    tables = {"customers_at": CUSTOMERS, "members": MEMBERS, "lifecycle": STAGES}
    tables |= {"segments": KNOWN, "habits": HABITS}

    def of(segment: str, **changed: pl.DataFrame) -> Refresh:
        r = opened(tmp_path, "95_segment", tables | changed)
        acts = ACTIVITY.select(pl.exclude("ago"), day=r.day - pl.col("ago"))
        acts.write_parquet(r.space.folder / "tables" / "activity.parquet")
        object.__setattr__(r.space, "segment", segment)
        return r

    return of


def people(groups: dict[str, int]) -> pl.DataFrame:
    """So many customers in each group: customer_id, group."""
    names = [group for group, n in groups.items() for _ in range(n)]
    return pl.DataFrame({"customer_id": map(str, range(len(names))), "group": names})


def test_current_customers_are_in_the_segment_or_among_the_others(shop):
    current = segments.compared(shop("s1"))
    assert current.select("customer_id", "group", "lifecycle").rows() == [
        ("ann", segments.THIS, "new"),
        ("bob", segments.OTHERS, "active"),
        ("cay", segments.THIS, "active"),
        ("dan", segments.OTHERS, "active"),
    ]


def test_a_segment_that_is_not_there_is_refused_with_those_there_are(shop):
    with pytest.raises(Refused, match=r"no segment 's3' in this refresh \(there are: s1, s2\)"):
        segments.compared(shop("s3"))
    with pytest.raises(Refused, match=r"there are: none"):
        segments.compared(shop("s1", segments=KNOWN.clear()))


@pytest.mark.parametrize(("each", "paid"), [(100, ", with 75.0% of last year's amount."), (0, ".")])
def test_who_is_counted_is_said_with_what_they_pay(shop, each, paid):
    current = people({segments.THIS: 30, segments.OTHERS: 10}).with_columns(amount_cents_365d=each)
    said, note = segments.who_is_counted(shop("s1"), current)

    assert said.sentence.endswith(f"of all current ones ({{ci}}){paid}")
    assert (said.value, said.further["n"], said.further["name"]) == (0.75, 30, "Families")
    literal = binomtest(30, 40).proportion_ci(method="wilson")
    assert said.ci == pytest.approx((literal.low, literal.high))
    assert note.startswith("It is a cluster.")
    assert len(segments.who_is_counted(shop("s1"), current[25:])) == 1  # of five nothing is said


def test_traits_are_distances_of_medians_in_spreads_of_all():
    rng = np.random.default_rng(7)
    this, others = rng.gamma(2, 3, size=40), rng.gamma(4, 2, size=90)
    current = people({segments.THIS: 41, segments.OTHERS: 91}).with_columns(
        pace=pl.Series([*this, None, *others, None]),
        never=0,
        mostly=pl.Series([1] * 10 + [0] * 122),
        rare=pl.Series([*range(4), *[None] * 37, *range(91)]),
        rare_outside=pl.Series([*range(45), *[None] * 87]),
    )
    features = ["pace", "never", "mostly", "rare", "rare_outside"]

    found = segments.differences(current, features, min_cell=5)

    assert found["trait"].to_list() == ["Pace", "Never", "Mostly"]
    spread = np.subtract(*np.percentile(np.concatenate([this, others]), [75, 25]))
    middle = np.median(others)
    away = [(np.percentile(this, q) - middle) / spread for q in (50, 25, 75)]
    assert found.row(0)[1:] == pytest.approx((40, *away))
    assert found.row(1)[-3:] == (None, None, None)
    assert found.row(2)[-3:] == (0, 0, 0)
    assert segments.differences(current, [], min_cell=5).is_empty()
    medians = segments.medians(current, found["trait"].to_list())
    assert medians.columns == ["group", "n", "pace", "never", "mostly"]
    assert medians.row(0)[:3] == (segments.THIS, 41, pytest.approx(np.median(this)))


def test_the_title_names_the_trait_that_is_farthest_away(shop):
    current = people({segments.THIS: 20, segments.OTHERS: 20}).with_columns(
        tenure_days=pl.Series([1, 3] * 10 + [7, 9] * 10)
    )
    shown = segments.traits(shop("s1"), current)

    assert shown.headline(shown.table) == "Most different from the others: tenure days is low"
    assert shown.behind(shown.table)["tenure_days"].to_list() == [2, 8]
    assert shown.headline(shown.table.clear()) == "No trait varies enough to compare"


def test_every_stage_is_compared_also_where_nobody_is_in_it(shop):
    r = shop("s1")
    shares = segments.by_stage(r, segments.compared(r)).table

    assert shares.select("lifecycle", "group", "n", "share").rows() == [
        ("active", segments.THIS, 1, 0.5),
        ("active", segments.OTHERS, 2, 1.0),
        ("new", segments.THIS, 1, 0.5),
        ("new", segments.OTHERS, 0, 0.0),
    ]
    literal = binomtest(0, 2).proportion_ci(method="wilson")
    assert shares.row(3)[4:] == pytest.approx((literal.low, literal.high))


def test_only_the_commonest_labels_are_compared(shop):
    current = people({segments.THIS: 100, segments.OTHERS: 100}).with_columns(
        lifecycle=pl.Series(["rare", *(f"l{number % 8}" for number in range(199))])
    )
    found = segments.by_stage(shop("s1"), current).table
    assert found["lifecycle"].unique().sort().to_list() == [
        f"l{number}" for number in range(segments.MOST)
    ]


def test_kinds_count_ninety_days_for_every_customer_of_the_group(shop):
    r = shop("s1")
    kinds = segments.by_kind(r, segments.compared(r)).table

    assert kinds.select("kind", "group", "n", "events_per_customer").rows() == [
        ("call", segments.THIS, 0, 0.0),
        ("call", segments.OTHERS, 1, 2.0),
        ("visit", segments.THIS, 1, 1.5),
        ("visit", segments.OTHERS, 1, 0.5),
    ]


NIGHT, MORNING, _, EVENING = segments.NAMES["hours"]


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("channel", [("shop", 0.25, 0.0), ("web", 0.75, 1.0)]),
        ("weekday", [("Monday", 0.625, 1.0), ("Sunday", 0.375, 0.0)]),
        ("hours", [(NIGHT, 0.5, 0.0), (MORNING, 0.5, 0.0), (EVENING, 0.0, 1.0)]),
    ],
)
def test_habits_are_shares_of_the_events_of_which_it_is_known(shop, by, expected):
    r = shop("s1")
    found = segments.by_habit(r, segments.compared(r), by).table

    rows = found.select(by, "share_of_events").rows()
    assert rows == [(label, share) for label, *shares in expected for share in shares]
    assert found["group"].to_list() == [segments.THIS, segments.OTHERS] * len(expected)


def test_without_groups_all_current_customers_are_one(shop):
    shown = segments.by_habit(shop(""), CUSTOMERS, "channel")
    assert shown.table.select("channel", "group", "share_of_events").rows() == [
        ("shop", segments.TOGETHER, pytest.approx(1 / 6)),
        ("web", segments.TOGETHER, pytest.approx(5 / 6)),
    ]
    assert shown.headline(shown.table) == "Most: web, 83.3%"


@pytest.mark.parametrize("by", ["channel", "hours"])
def test_a_habit_that_is_never_known_gives_no_rows(shop, by):
    unknown = HABITS.with_columns(channel=pl.lit(None, pl.String), hour=pl.lit(None, pl.Int64))
    shown = segments.by_habit(shop("s1", habits=unknown), CUSTOMERS, by)
    assert shown.table.is_empty()
    assert shown.empty == f"Not known in this book: {by}."


EVENTS = st.lists(
    st.tuples(st.integers(0, 11), st.sampled_from(["web", "app", "shop"]), st.integers(1, 50)),
    max_size=40,
)


@given(EVENTS, st.integers(1, 11), st.sampled_from([0.8, 0.95]))
def test_rates_are_those_of_a_slow_literal_computation(events, inside, confidence):
    current = people({segments.THIS: inside, segments.OTHERS: 12 - inside})
    rows = [(str(who), what, n) for who, what, n in events]
    schema = {"customer_id": pl.String, "channel": pl.String, "part": pl.Int64}
    habits = pl.DataFrame(rows, schema, orient="row").group_by("customer_id", "channel").sum()
    whole = habits.group_by("customer_id").agg(whole=pl.col("part").sum())

    cells = segments._cells(habits, current.join(whole, on="customer_id"))
    found = segments._rates(cells, "share_of_events", confidence)

    assert {*found["channel"]} == {what for _, what, _ in events}
    for channel, group, n, share, lower, upper in found.iter_rows():
        who = [int(name) for name, of in current.iter_rows() if of == group]
        done = {one: [(what, n) for name, what, n in events if name == one] for one in who}
        whole = np.array([sum(n for _, n in done[one]) for one in who if done[one]])
        part = [sum(n for what, n in done[one] if what == channel) for one in who if done[one]]
        rate = sum(part) / sum(whole)
        rest = sum((x - rate * y) ** 2 for x, y in zip(part, whole, strict=True))
        assert (n, share) == (sum(x > 0 for x in part), pytest.approx(rate))
        if len(whole) == 1 or rest < 1e-6:
            assert lower is None or upper - lower < 1e-3
            continue
        variance = rest / (len(whole) - 1) / len(whole) / np.mean(whole) ** 2
        half = norm.ppf(0.5 + confidence / 2) * sqrt(variance)
        assert (lower, upper) == pytest.approx((max(0, rate - half), min(1, rate + half)))


def compared(*rows: tuple) -> pl.DataFrame:
    columns = ["stage", "group", "n", "share", "ci_lower", "ci_upper"]
    return pl.DataFrame(rows, columns, orient="row")


def test_what_may_be_chance_sets_nobody_apart():
    near = compared(
        ("new", segments.THIS, 50, 0.5, 0.3, 0.7), ("new", segments.OTHERS, 9, 0.1, 0.0, 0.31)
    )
    far = compared(
        ("old", segments.THIS, 50, 0.2, 0.1, 0.3), ("old", segments.OTHERS, 50, 0.5, 0.4, 0.6)
    )
    hidden = far.with_columns(pl.lit(None, pl.Float64).alias(name) for name in far.columns[3:])

    assert segments.set_apart(near) == "No clear difference"
    assert segments.set_apart(hidden) == "No clear difference"
    both = segments.set_apart(near.vstack(far))
    assert both == "Most different: old, from 20.0% (this segment) to 50.0% (others)"


def test_what_is_hidden_is_drawn_as_a_dash():
    shown = compared(
        ("new", segments.THIS, None, None, None, None),
        ("new", segments.OTHERS, None, None, None, None),
        ("old", segments.THIS, 50, 0.25, 0.1, 0.3),
        ("old", segments.OTHERS, 1500, 0.5, 0.4, 0.6),
    )
    for rows in (shown, shown.head(2).cast({"share": pl.Float64})):
        texts = [text.get_text() for text in charts.comparison(rows).axes[0].texts]
        assert texts == ["–", "–", "25.0% (n 50)", "50.0% (n 1,500)"][: rows.height]
