"""What sets a segment apart: drawn tables, slow literal computations, and the notebook itself."""

from datetime import date
from math import sqrt

import nbformat
import numpy as np
import polars as pl
import pytest
from drawing import drawn
from hypothesis import given
from hypothesis import strategies as st
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from scipy.stats import binomtest, norm
from workbooks import outputs

from retention import book as books
from retention import charts, findings, schema
from retention.errors import Refused
from retention.segments import segments
from retention.tables import workspace

CUSTOMERS = drawn("""
    | customer_id | in_risk_set | tenure_days | amount_cents_365d |
    | ann         | true        | 10          | 300               |
    | bob         | true        | 20          | 100               |
    | cay         | true        | 30          |                   |
    | dan         | true        | 40          | 0                 |
    | eve         | false       | 50          | 900               |
""").with_columns(pl.col("amount_cents_365d").fill_null(0))
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
KNOWN = pl.DataFrame({"segment": ["s1", "s2"], "name": ["Families", "Singles"]})


def grouped(segment: str = "s1") -> pl.DataFrame:
    tables = (table.lazy() for table in (CUSTOMERS, STAGES, MEMBERS))
    return segments.grouped(*tables, segment, ["tenure_days"])


def people(groups: dict[str, int]) -> pl.DataFrame:
    """So many customers in each group: customer_id, group."""
    names = [group for group, n in groups.items() for _ in range(n)]
    return pl.DataFrame({"customer_id": map(str, range(len(names))), "group": names})


def test_a_segment_is_found_by_its_name_or_refused_with_those_there_are():
    assert segments.chosen(KNOWN, "s2")["name"] == "Singles"
    with pytest.raises(Refused, match=r"no segment 's3' in this refresh \(there are: s1, s2\)"):
        segments.chosen(KNOWN, "s3")
    with pytest.raises(Refused, match=r"there are: none"):
        segments.chosen(KNOWN.clear(), "s1")


def test_current_customers_are_in_the_segment_or_among_the_others():
    assert grouped().rows() == [
        ("ann", segments.THIS, "new", 300, 10),
        ("bob", segments.OTHERS, "active", 100, 20),
        ("cay", segments.THIS, "active", 0, 30),
        ("dan", segments.OTHERS, "active", 0, 40),
    ]


def test_sizes_are_shares_of_current_customers_and_of_what_they_paid():
    sizes = segments.sizes(grouped())

    assert sizes.select("group", "n", "share", "share_of_amount").rows() == [
        (segments.THIS, 2, 0.5, 0.75),
        (segments.OTHERS, 2, 0.5, 0.25),
    ]
    literal = binomtest(2, 4).proportion_ci(method="wilson")
    assert sizes.row(0)[3:5] == pytest.approx((literal.low, literal.high))
    assert segments.sizes(grouped("s3"))["n"].to_list() == [0, 4]
    nobody_paid = grouped().with_columns(amount_cents_365d=0)
    assert segments.sizes(nobody_paid)["share_of_amount"].to_list() == [None, None]


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

    found = segments.traits(
        current, ["pace", "never", "mostly", "rare", "rare_outside"], min_cell=5
    )

    assert found["feature"].to_list() == ["pace", "never", "mostly"]
    everybody = np.concatenate([this, others])
    spread = np.subtract(*np.percentile(everybody, [75, 25]))
    middle = np.median(others)
    away = [(np.percentile(this, q) - middle) / spread for q in (50, 25, 75)]
    assert found.row(0)[1:] == pytest.approx((40, np.median(this), middle, *away))
    assert found.row(1)[-3:] == (None, None, None)
    assert found.row(2)[-3:] == (0, 0, 0)
    assert segments.traits(current, [], min_cell=5).is_empty()


def test_every_stage_is_compared_also_where_nobody_stands_in_it():
    shares = segments.shares(grouped(), "lifecycle")

    assert shares.select("lifecycle", "group", "n", "share").rows() == [
        ("active", segments.THIS, 1, 0.5),
        ("active", segments.OTHERS, 2, 1.0),
        ("new", segments.THIS, 1, 0.5),
        ("new", segments.OTHERS, 0, 0.0),
    ]
    literal = binomtest(0, 2).proportion_ci(method="wilson")
    assert shares.row(3)[4:] == pytest.approx((literal.low, literal.high))


def test_only_the_commonest_labels_are_compared():
    current = people({segments.THIS: 100, segments.OTHERS: 100}).with_columns(
        of=pl.Series(["rare", *(f"l{number % 8}" for number in range(199))])
    )

    assert segments.shares(current, "of")["of"].unique().sort().to_list() == [
        f"l{number}" for number in range(segments.MOST)
    ]


ACTIVITY = drawn("""
    | customer_id | day | kind  | events |
    | ann         | 10  | visit | 7      |
    | ann         | 11  | visit | 2      |
    | ann         | 100 | visit | 1      |
    | bob         | 100 | visit | 1      |
    | bob         | 100 | call  | 4      |
    | eve         | 100 | visit | 9      |
""")


def test_kinds_count_ninety_days_for_every_customer_of_the_group():
    kinds = segments.kinds(ACTIVITY.lazy(), grouped(), snapshot_day=100)

    assert kinds.select("kind", "group", "n", "events_per_customer").rows() == [
        ("call", segments.THIS, 0, 0.0),
        ("call", segments.OTHERS, 1, 2.0),
        ("visit", segments.THIS, 1, 1.5),
        ("visit", segments.OTHERS, 1, 0.5),
    ]


NIGHT, MORNING, _, EVENING = segments.NAMES["hours"]
HABITS = drawn("""
    | customer_id | channel | weekday | hour | events |
    | ann         | web     | 6       | 0    | 3      |
    | ann         | shop    | 0       | 5    | 1      |
    | ann         |         | 0       | 6    | 4      |
    | bob         | web     | 0       | 23   | 2      |
    | eve         | web     | 3       | 12   | 9      |
""")


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("channel", [("shop", 0.25, 0.0), ("web", 0.75, 1.0)]),
        ("weekday", [("Monday", 0.625, 1.0), ("Sunday", 0.375, 0.0)]),
        ("hours", [(NIGHT, 0.5, 0.0), (MORNING, 0.5, 0.0), (EVENING, 0.0, 1.0)]),
    ],
)
def test_habits_are_shares_of_the_events_of_which_it_is_known(by, expected):
    found = segments.habits(HABITS.lazy(), grouped(), by)

    rows = found.select(by, "share_of_events").rows()
    assert rows == [(label, share) for label, *shares in expected for share in shares]
    assert found["group"].to_list() == [segments.THIS, segments.OTHERS] * len(expected)


def test_a_habit_that_is_never_known_gives_no_rows():
    unknown = HABITS.with_columns(channel=pl.lit(None, pl.String), hour=pl.lit(None, pl.Int64))

    assert segments.habits(unknown.lazy(), grouped(), "channel").is_empty()
    assert segments.habits(unknown.lazy(), grouped(), "hours").is_empty()


EVENTS = st.lists(
    st.tuples(st.integers(0, 11), st.sampled_from(["web", "app", "shop"]), st.integers(1, 50)),
    max_size=40,
)


@given(EVENTS, st.integers(1, 11), st.sampled_from([0.8, 0.95]))
def test_rates_are_those_of_a_slow_literal_computation(events, inside, confidence):
    current = people({segments.THIS: inside, segments.OTHERS: 12 - inside})
    rows = [(str(who), what, 0, 0, n) for who, what, n in events]
    columns = {"customer_id": pl.String, "channel": pl.String}
    columns |= {"weekday": pl.Int64, "hour": pl.Int64, "events": pl.Int64}
    habits = pl.DataFrame(rows, columns, orient="row")

    found = segments.habits(habits.lazy(), current, "channel", confidence)

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
    hidden = far.with_columns(share=None, ci_lower=None, ci_upper=None)
    nothing = "Nothing here sets Families clearly apart from the others"

    assert segments.set_apart("Families", near) == nothing
    assert segments.set_apart("Families", hidden) == nothing
    both = segments.set_apart("Families", near.vstack(far))
    assert both == "Families differs most from the others: less old"


def test_the_title_names_the_trait_that_is_farthest_away():
    traits = pl.DataFrame({"feature": ["pace_90d", "age"], "difference": [-2.0, 1.5]})

    assert segments.standing_out("Singles", traits) == "Singles stands out most: pace 90d is low"
    assert segments.standing_out("Singles", traits.clear()).startswith("Too little is known")


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


N, SNAPSHOT = 400, date(2024, 12, 31)


def shop_tables() -> dict[str, pl.DataFrame]:
    """400 current customers: a quarter in s1, of whom three are new, a quarter in s2; all others,
    who are noise, are new."""
    number, whole = pl.col("number"), pl.Int64
    today = pl.lit((SNAPSHOT - date(1970, 1, 1)).days, whole)
    everybody = pl.select(number=pl.int_range(N)).with_columns(
        customer_id=pl.format("customer-{}", "number"),
        segment=(number // 100).replace_strict({0: "s1", 1: "s2"}, default=None),
        lifecycle=pl.when((number < 3) | (number >= 200))
        .then(pl.lit("new"))
        .otherwise(pl.lit("on")),
    )
    values = {"Int64": number + 1, "Float64": (number + 1) / N, "Boolean": pl.lit(True)}
    promised = schema.TABLES["customers_at"].columns
    known = {
        name: values[dtype.__name__] for name, dtype in promised.items() if name != "customer_id"
    }
    kinds = {"String": pl.String, "Float64": pl.Float64, "Boolean": pl.Boolean}
    unknown = {
        name: pl.lit(None, kinds[dtype.__name__])
        for name, dtype in schema.TABLES["lifecycle"].columns.items()
        if name not in everybody.columns
    }
    done = {"day": today, "kind": pl.lit("purchase"), "events": 1 + number % 3}
    when = {"weekday": number % 7, "hour": pl.lit(None, whole), "channel": pl.lit(None, pl.String)}
    found = {
        **{"segment": ["s1", "s2"], "name": ["<b>Families", "Singles"], "kind": ["cluster"] * 2},
        **{"n": [100, 100], "share_of_customers": [0.25] * 2, "share_of_amount": [0.06, 0.19]},
        "active_days_90d": [50.0, 150.0],
    }
    return {
        "customers_at": everybody.select("customer_id", **known),
        "lifecycle": everybody.select("customer_id", "lifecycle", **unknown),
        "members": everybody.select("customer_id", "segment").drop_nulls(),
        "segments": pl.DataFrame(found),
        "activity": everybody.select("customer_id", **done, orders=number, amount_cents=number),
        "habits": everybody.select("customer_id", **when, events=1 + number % 3, first_day=today),
        "surveys_at": everybody.select(
            "customer_id",
            sent_day=today - 30,
            answered_day=pl.when(number % 2 == 0).then(today - 20),
            kind=pl.lit("nps"),
            score=pl.when(number % 2 == 0).then((number % 11).cast(pl.Float64)),
        ),
    }


@pytest.fixture
def shop(workbook):
    day = str(SNAPSHOT)
    folder = workbook / "work" / "shop" / day
    for name, table in shop_tables().items():
        writer = schema.TABLES[name].writer
        workspace.write_table(workspace.Workspace("shop", day, writer, folder), name, table)
    book = books.at(books.load("shop", workbook), SNAPSHOT)
    (folder / "book.json").write_text(book.model_dump_json(), encoding="utf-8")
    return workbook


def run(shop, segment: str) -> nbformat.NotebookNode:
    """Run All as in JupyterLab, with other values in the parameters cell."""
    notebook = nbformat.read(shop / "notebooks" / "95_segment.ipynb", as_version=4)
    for cell in notebook.cells:
        if "parameters" in cell.metadata.get("tags", []):
            changed = cell.source.replace('"cdnow"', '"shop"').replace('"s1"', f'"{segment}"')
            cell.source = changed
    folder = {"metadata": {"path": shop / "notebooks"}}
    NotebookClient(notebook, timeout=120, resources=folder).execute()
    nbformat.write(notebook, shop / "ran.ipynb")
    return notebook


def test_the_notebook_of_a_segment_says_who_is_in_and_hides_small_groups(shop):
    run(shop, "s1")

    said = outputs(shop / "ran.ipynb")
    page = "".join(said)
    assert "&lt;b&gt;Families: 100 customers, 25.0% of all current ones (21.0% to 29.5%)" in said[0]
    assert "<b>Families" not in page
    assert "customer-" not in page
    stages = next(part for part in said if "lifecycle" in part)
    assert "(n " not in stages
    assert "66.7%" not in stages
    days = next(part for part in said if "Monday" in part)
    assert "(n 15)" in days
    assert [part for part in said if "Channels are not known." in part]
    recorded = findings.recorded(workspace.open("shop", "99_summary"))
    assert recorded["notebook"].to_list() == ["95_segment-s1"]


@pytest.mark.slow
def test_the_notebook_refuses_a_segment_that_is_not_there(shop):
    with pytest.raises(CellExecutionError, match=r"no segment 's9' .*there are: s1, s2"):
        run(shop, "s9")
