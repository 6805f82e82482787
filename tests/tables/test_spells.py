"""Churn, defined once: every sentence of the definition on a drawn table, then on random logs."""

from itertools import pairwise

import polars as pl
import pytest
from drawing import drawn
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from retention.tables import spells

AFTER = 10  # days of silence, or of grace
SNAPSHOT = 100  # so that spells can be judged until day F = 90
NOBODY = {"customer_id": pl.String, "started_day": pl.Int64}


def of_activity(text: str, customers: str = "", snapshot_day: int = SNAPSHOT) -> pl.DataFrame:
    """Spells of a drawn log; without a customers table, nobody's start is known.

    A customer "first" is active on day 0, so that the others are seen after the data begin.
    """
    log = pl.concat([drawn("|customer_id|day|\n|first|0|"), drawn(text)])
    known = drawn(customers) if customers else pl.DataFrame(schema=NOBODY)
    found = spells.from_activity(
        log.with_columns(kind=pl.lit("purchase")),
        known,
        kinds=["purchase"],
        snapshot_day=snapshot_day,
        after_days=AFTER,
    )
    return found.filter(pl.col("customer_id") != "first")


def of_contracts(text: str, snapshot_day: int = SNAPSHOT) -> pl.DataFrame:
    """Spells of drawn contracts; columns that are not drawn are blank."""
    terms = drawn(text)
    whole = {name: pl.Int64 for name in ("ended_day", "booked_day") if name not in terms}
    words = {name: pl.String for name in ("cause", "plan") if name not in terms}
    blanks = [pl.lit(None, dtype).alias(name) for name, dtype in (whole | words).items()]
    return spells.from_contracts(
        terms.with_columns(blanks), snapshot_day=snapshot_day, after_days=AFTER
    )


def assert_drawn(found: pl.DataFrame, text: str) -> None:
    """``found`` holds the drawn rows, in the columns that are drawn, and no others."""
    expected = drawn(text)
    order = [name for name in ("customer_id", "spell") if name in expected]
    assert_frame_equal(
        found.select(expected.columns).sort(order), expected.sort(order), check_dtypes=True
    )


# Activity books


def test_spells_of_active_days():
    """Days share a spell iff fewer than ten lie between them; the end is an event iff the last day
    is F (90) or earlier, else censored there; who starts later is too new; a spell first seen on
    the first ten days of the data has an unknown start; nothing after the snapshot is seen."""
    found = of_activity("""
        | customer_id | day |
        | together    | 20  |
        | together    | 29  |
        | together    | 38  |
        | apart       | 20  |
        | apart       | 30  |
        | ends_at_f   | 85  |
        | ends_at_f   | 90  |
        | at_snapshot | 82  |
        | at_snapshot | 91  |
        | at_snapshot | 100 |
        | new         | 91  |
        | returned    | 50  |
        | returned    | 95  |
        | edge        | 9   |
        | edge        | 50  |
        | unseen      | 80  |
        | unseen      | 101 |
        | not_yet     | 101 |
    """)
    assert found["entry_day"].equals(found["start_day"])
    assert_drawn(
        found,
        """
    | customer_id | spell | start_day | end_day | duration_days | event_observed | excluded      |
    | together    | 1     | 20        | 38      | 19            | true           |               |
    | apart       | 1     | 20        | 20      | 1             | true           |               |
    | apart       | 2     | 30        | 30      | 1             | true           |               |
    | ends_at_f   | 1     | 85        | 90      | 6             | true           |               |
    | at_snapshot | 1     | 82        | 100     | 9             | false          |               |
    | new         | 1     | 91        | 91      |               |                | too_new       |
    | returned    | 1     | 50        | 50      | 1             | true           |               |
    | returned    | 2     | 95        | 95      |               |                | too_new       |
    | edge        | 1     | 9         | 9       |               |                | unknown_start |
    | edge        | 2     | 50        | 50      | 1             | true           |               |
    | unseen      | 1     | 80        | 80      | 1             | true           |               |
    """,
    )
    assert sorted(spells.exclusions(found).rows()) == [("too_new", 2), ("unknown_start", 1)]


def test_a_known_start_before_the_data_makes_the_spell_enter_late():
    """Who comes back later than on the first ten days has no first spell here."""
    log = """
        | customer_id | day |
        | late        | 5   |
        | late        | 12  |
        | on_the_day  | 5   |
        | unknown     | 5   |
        | back        | 10  |
        """
    customers = """
        | customer_id | started_day |
        | late        | -40         |
        | on_the_day  | 5           |
        | unknown     |             |
        | back        | -40         |
        """
    assert_drawn(
        of_activity(log, customers),
        """
        | customer_id | entry_day | start_day | end_day | duration_days | excluded      |
        | late        | 0         | -40       | 12      | 53            |               |
        | on_the_day  | 5         | 5         | 5       | 1             |               |
        | unknown     | 5         | 5         | 5       |               | unknown_start |
        | back        | 10        | 10        | 10      |               | unknown_start |
    """,
    )
    too_new = of_activity(log, customers, snapshot_day=8).filter(customer_id="late")
    assert too_new.select("entry_day", "excluded").row(0) == (0, "too_new")


# Contract books


def test_spells_of_contracts():
    """Terms within ten days of grace form one spell; it has ended iff the grace is over by the
    snapshot (100); a cancellation booked for a later day is no end; of terms that overlap the one
    that ends last decides; the cause is that of the last end, the plan that of the start; who
    begins after F (90) is too new, and after the snapshot unseen."""
    found = of_contracts("""
        | customer_id | started_day | ended_day | booked_day | cause | plan  |
        | in_grace    | 10          | 30        |            | moved | basic |
        | in_grace    | 39          | 60        |            |       |       |
        | after_grace | 10          | 30        |            | price | basic |
        | after_grace | 40          |           |            |       | plus  |
        | at_snapshot | 71          | 100       |            | price |       |
        | ahead       | 41          | 130       | 80         | price |       |
        | not_known   | 41          | 60        | 101        | price |       |
        | long_first  | 10          | 80        |            | price |       |
        | long_first  | 20          | 30        |            | moved |       |
        | long_first  | 85          | 88        |            | other |       |
        | one_day     | 90          | 90        |            |       |       |
        | new         | 91          |           |            |       |       |
        | not_yet     | 101         |           |            |       |       |
    """)
    assert found["entry_day"].equals(found["start_day"])
    assert_drawn(
        found.drop("entry_day"),
        """
    | customer_id | spell | end_day | duration_days | event_observed | cause | plan  | excluded |
    | in_grace    | 1     | 60      | 51            | true           |       | basic |          |
    | after_grace | 1     | 30      | 21            | true           | price | basic |          |
    | after_grace | 2     |         | 51            | false          |       | plus  |          |
    | at_snapshot | 1     | 100     | 20            | false          |       |       |          |
    | ahead       | 1     |         | 50            | false          |       |       |          |
    | not_known   | 1     |         | 50            | false          |       |       |          |
    | long_first  | 1     | 88      | 79            | true           | other |       |          |
    | one_day     | 1     | 90      | 1             | true           |       |       |          |
    | new         | 1     |         |               |                |       |       | too_new  |
    """,
    )


# On random logs: against a literal reading of the definition, one customer and day at a time


def literal_verdict(start, entry, last, start_known, *, f):
    """duration_days, event_observed, excluded of one spell."""
    if start > f:
        return None, None, "too_new"
    if not start_known:
        return None, None, "unknown_start"
    if entry > f:
        return None, None, "too_new"
    return min(last, f) - start + 1, last <= f, None


def literal_activity(log, started, snapshot, after):
    """Spells of ``log`` ((customer, day, kind)) with starts in ``started``, by loops."""
    log = {(who, day) for who, day, kind in log if kind == "purchase" and day <= snapshot}
    found = []
    for who in sorted({who for who, _ in log}):
        days = sorted(day for one, day in log if one == who)
        parts = [[days[0]]]
        for earlier, later in pairwise(days):
            if later - earlier < after:
                parts[-1].append(later)
            else:
                parts.append([later])
        begin = min(day for _, day in log)
        for number, part in enumerate(parts, start=1):
            entry = start = part[0]
            older = started.get(who) is not None and started[who] < begin
            edge = number == 1 and start - begin < after
            came_back = number == 1 and older and not edge
            if edge and older:
                start, entry = started[who], begin
            known = started.get(who) is not None if edge else not came_back
            verdict = literal_verdict(start, entry, part[-1], known, f=snapshot - after)
            found.append((who, number, entry, start, part[-1], *verdict))
    return found


def literal_contracts(terms, snapshot, after):
    """Spells of ``terms`` ((customer, started, ended, booked, cause)), by loops."""
    found = []
    for who in sorted({term[0] for term in terms}):
        parts = []
        for _, start, end, booked, cause in sorted(
            (term for term in terms if term[0] == who and term[1] <= snapshot),
            key=lambda term: term[1],
        ):
            known = end is not None and end <= snapshot and (booked is None or booked <= snapshot)
            term = (start, end if known else snapshot + 1, cause if known else None)
            if parts and start - max(reach for _, reach, _ in parts[-1]) < after:
                parts[-1].append(term)
            else:
                parts.append([term])
        for number, part in enumerate(parts, start=1):
            start, last = part[0][0], max(reach for _, reach, _ in part)
            verdict = literal_verdict(start, start, last, True, f=snapshot - after)
            causes = [cause for _, reach, cause in part if reach == last and cause]
            cause = max(causes) if causes and last <= snapshot - after else None
            end = last if last <= snapshot else None
            found.append((who, number, start, start, end, *verdict, cause))
    return found


WHO = st.sampled_from("abcd")
LOGS = st.lists(
    st.tuples(WHO, st.integers(0, 60), st.sampled_from(["purchase", "visit"])),
    min_size=1,
    max_size=40,
)
STARTS = st.dictionaries(WHO, st.none() | st.integers(-30, 0))
AFTERS = st.integers(1, 20)
SNAPSHOTS = st.integers(0, 80)


@st.composite
def contract_terms(draw):
    """Terms with distinct starts, as promised; ends, bookings and causes as they come."""
    keys = draw(st.sets(st.tuples(WHO, st.integers(0, 60)), min_size=1, max_size=15))
    terms = []
    for who, start in sorted(keys):
        end = draw(st.none() | st.integers(start, start + 30))
        booked = draw(st.none() | st.integers(start, start + 40))
        terms.append((who, start, end, booked, draw(st.sampled_from([None, "moved", "price"]))))
    return terms


def activity_spells(log, started, snapshot, after) -> pl.DataFrame:
    schema = {"customer_id": pl.String, "day": pl.Int64, "kind": pl.String}
    known = pl.DataFrame(list(started.items()), schema=NOBODY, orient="row")
    return spells.from_activity(
        pl.DataFrame(log, schema=schema, orient="row"),
        known,
        kinds=["purchase"],
        snapshot_day=snapshot,
        after_days=after,
    ).sort("customer_id", "spell")


def contract_spells(terms, snapshot, after) -> pl.DataFrame:
    whole = ("started_day", "ended_day", "booked_day")
    schema = {"customer_id": pl.String, **dict.fromkeys(whole, pl.Int64), "cause": pl.String}
    frame = pl.DataFrame(terms, schema=schema, orient="row")
    return spells.from_contracts(
        frame.with_columns(plan=pl.lit(None, pl.String)), snapshot_day=snapshot, after_days=after
    ).sort("customer_id", "spell")


@given(LOGS, STARTS, SNAPSHOTS, AFTERS)
def test_spells_of_activity_are_those_of_a_literal_reading(log, started, snapshot, after):
    found = activity_spells(log, started, snapshot, after)
    rows = found.drop("cause", "plan", "finished").rows()
    assert rows == literal_activity(log, started, snapshot, after)


@given(contract_terms(), SNAPSHOTS, AFTERS)
def test_spells_of_contracts_are_those_of_a_literal_reading(terms, snapshot, after):
    found = contract_spells(terms, snapshot, after)
    names = ["customer_id", "spell", "entry_day", "start_day", "end_day", "duration_days"]
    rows = found.select(*names, "event_observed", "excluded", "cause").rows()
    assert rows == literal_contracts(terms, snapshot, after)


@given(LOGS, STARTS, SNAPSHOTS, st.integers(0, 40), AFTERS)
def test_a_later_snapshot_never_takes_back_an_end_of_activity(log, started, first, wait, after):
    early, late = (activity_spells(log, started, day, after) for day in (first, first + wait))
    ended = early.filter("event_observed")
    assert ended.join(late, on=late.columns, nulls_equal=True, how="anti").is_empty()


@given(contract_terms(), SNAPSHOTS, st.integers(0, 40), AFTERS)
def test_a_later_snapshot_never_takes_back_an_end_of_contracts(terms, first, wait, after):
    early, late = (contract_spells(terms, day, after) for day in (first, first + wait))
    ended = early.filter("event_observed")
    assert ended.join(late, on=late.columns, nulls_equal=True, how="anti").is_empty()


@given(LOGS, contract_terms(), st.randoms(use_true_random=False))
def test_the_order_of_rows_never_matters(log, terms, random):
    shuffled = random.sample(log, len(log)), random.sample(terms, len(terms))
    assert activity_spells(shuffled[0], {}, 50, 7).equals(activity_spells(log, {}, 50, 7))
    assert contract_spells(shuffled[1], 50, 7).equals(contract_spells(terms, 50, 7))


PLANNED = drawn("""
    | customer_id | started_day | ended_day | booked_day | observed_until_day | cause | plan |
    | course      | 100         |           |            | 200                |       | a    |
    | as_agreed   | 100         | 200       | 150        | 200                | done  | a    |
    | early       | 100         | 160       | 150        | 200                | price | a    |
    | running     | 300         |           |            | 450                |       | a    |
    | again       | 100         |           |            | 200                |       | a    |
    | again       | 220         |           |            | 460                |       | b    |
    | open        | 100         |           |            |                    |       | a    |
""").with_columns(amount_cents=pl.lit(1_000, pl.Int64))


def test_a_planned_end_is_no_loss():
    """Who reaches the end of a course or of a fixed term is censored there, and finished."""
    lives = spells.from_contracts(PLANNED, snapshot_day=400, after_days=30)
    found = {row["customer_id"]: row for row in lives.iter_rows(named=True)}

    assert {name: row["finished"] for name, row in found.items()} == {
        **dict.fromkeys(("course", "as_agreed"), True),
        **dict.fromkeys(("early", "running", "again", "open"), False),
    }
    lasted = {name: (row["duration_days"], row["event_observed"]) for name, row in found.items()}
    assert lasted["course"] == lasted["as_agreed"] == (101, False)
    assert lasted["early"] == (61, True)
    assert lasted["running"] == (71, False)  # judged up to day 370
    assert (found["again"]["spell"], found["again"]["end_day"]) == (1, None)
    assert found["as_agreed"]["cause"] is None
    gone = spells.returns(lives, snapshot_day=400, after_days=30)
    assert gone["customer_id"].to_list() == ["early"]
    booked = spells.booked_ends(PLANNED, snapshot_day=150)
    assert booked.rows() == [("early", 10)]  # what was agreed is no notice
    prices = dict(spells.prices(PLANNED, snapshot_day=400).rows())
    assert prices == dict.fromkeys(("running", "again", "open"), 1_000)


@pytest.mark.parametrize("day", [150, 200, 230, 370, 455])
def test_planned_ends_are_the_same_from_terms_as_known_later(day):
    held = spells.terms_at(PLANNED, snapshot_day=470)
    assert held.filter(customer_id="course")["ended_day"].item() == 200
    for make in (
        lambda terms: spells.from_contracts(terms, snapshot_day=day, after_days=30),
        lambda terms: spells.booked_ends(terms, snapshot_day=day),
        lambda terms: spells.prices(terms, snapshot_day=day),
    ):
        assert_frame_equal(make(held), make(PLANNED), check_row_order=False)


def test_later_ends_that_are_held_without_a_day_of_notice_are_booked_today_and_not_in_the_past():
    contracts = drawn("""
        | customer_id | started_day | ended_day | booked_day | cause | plan | amount_cents |
        | held        | 100         | 450       |            | price | a    | 1            |
        | booked      | 100         | 450       | 390        | price | a    | 1            |
        | later       | 100         | 450       | 420        | price | a    | 1            |
    """)
    held = spells.terms_at(contracts, snapshot_day=400)

    ends = dict(held.select("customer_id", "ended_day").rows())
    assert ends == {"held": 450, "booked": 450, "later": None}
    for terms in (contracts, held):
        today = spells.booked_ends(terms, snapshot_day=400, held=True)
        assert today.rows() == [("booked", 50), ("held", 50)]
        past = spells.booked_ends(terms, snapshot_day=395)
        assert past.rows() == [("booked", 55)]
        lives = spells.from_contracts(terms, snapshot_day=400, after_days=30)
        assert lives["end_day"].null_count() == 3
