"""What is guessed of a stranger's tables: by all values, and not at all where two readings fit."""

from datetime import date

import polars as pl
import pytest
from inputs import book

from retention.errors import Refused
from retention_intake import guess

DRAFT = book({})


def text(*values: str | None, name: str = "at") -> pl.LazyFrame:
    return pl.LazyFrame({name: pl.Series(values, dtype=pl.String)})


def column(*values: str | None) -> guess.Column:
    """What a column "date" of these texts can be."""
    return guess.columns("events", text(*values, name="date"), {}, DRAFT)["date"]


# How values are written


@pytest.mark.parametrize(
    ("values", "forms"),
    [
        (["2024-12-31", None, " 2025-01-01 "], ("",)),
        (["2024-12-31 08:00", "2024-12-31T08:00:01Z"], ()),  # a zone here, none there
        (["2024-12-31T08:00:00+01:00"], ("",)),
        (["12/1/2010 8:26", "12/13/2010 17:00"], ("%m/%d/%Y",)),
        (["13/1/2010", "1/12/2010"], ("%d/%m/%Y",)),
        (["1/2/2010", "3/4/2010"], ("%d/%m/%Y", "%m/%d/%Y")),
        (["31.12.24", "1.1.25"], ("%d.%m.%y",)),
        (["20241231", "20250101"], ("%Y%m%d",)),
        (["12/31/2024 11:59 PM"], ("%m/%d/%Y %I:%M %p",)),
        (["31-Dec-2024"], ("%d-%b-%Y",)),
        (["7", "8"], ()),
    ],
)
def test_dates_are_known_by_their_values(values, forms):
    assert column(*values).forms == forms


def test_the_last_value_of_many_decides():
    early = ["1/2/2010"] * 5_000
    assert len(column(*early).forms) == 2
    assert column(*early, "1/31/2010").forms == ("%m/%d/%Y",)
    assert column(*early, "none").forms == ()


@pytest.mark.parametrize(
    ("values", "decimals", "number"),
    [
        (["1", "-20", None], (), True),
        (["1.5", "20"], (".",), True),
        (["1,5", "1.000"], (",",), True),
        (["1.000,50"], (",",), True),
        (["1.500", "2"], (".", ","), True),  # one and a half, or fifteen hundred
        (["1,000.50"], (), False),
        (["12.50", "12,50"], (), False),
        (["nan"], (), False),
        (["free"], (), False),
    ],
)
def test_numbers_are_known_by_their_values(values, decimals, number):
    found = guess.columns("events", text(*values, name="amount"), {}, DRAFT)["amount"]
    assert (found.decimals, "number" in found.sorts) == (decimals, number)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"a,b\n1,2\n", {}),
        ("\ufeffa,b\n\u00e9,2\n".encode(), {}),
        ("a;b\nä;2\n".encode("cp1252"), {"encoding": "windows-1252", "delimiter": ";"}),
        ("a\tb\né\t2\n".encode("utf-16"), {"encoding": "utf-16", "delimiter": "\t"}),
        (b'"a, or more"|b|c\n', {"delimiter": "|"}),
        (b"", {}),
    ],
)
def test_the_dialect_is_read_from_bytes_and_header_unless_it_is_said(tmp_path, content, found):
    (tmp_path / "a.csv").write_bytes(content)
    assert guess.dialect([tmp_path / "a.csv"], {}) == found
    said = {"encoding": "cp1250", "delimiter": "#"}
    assert guess.dialect([tmp_path / "a.csv"], said) == said


def test_files_that_are_divided_in_two_ways_are_refused(tmp_path):
    for name, words in (("a", "x,y\n"), ("b", "x;y\n")):
        (tmp_path / f"{name}.csv").write_text(words)
    with pytest.raises(Refused, match=r"different delimiters \(a.csv by ',', b.csv by ';'\)"):
        guess.dialect(sorted(tmp_path.glob("*.csv")), {})


def test_two_columns_settle_together_what_one_leaves_open():
    both, first = ("%d/%m/%Y", "%m/%d/%Y"), ("%d/%m/%Y",)
    assert guess.agreed({"at": both, "started": first, "iso": ("",)}, "date_format") == "%d/%m/%Y"
    assert guess.agreed({"at": ("",), "none": ()}, "date_format") == ""
    with pytest.raises(Refused, match=r'say which: --date-format "%d/%m/%Y" or --date-format "%m'):
        guess.agreed({"at": both}, "date_format")
    with pytest.raises(Refused, match="the values of a, b are written in different ways"):
        guess.agreed({"a": (".",), "b": (",",)}, "decimal")


# Which column is which


def mapped(table: str, said: dict | None = None, **columns) -> tuple[dict, dict]:
    frame = pl.LazyFrame(columns)
    return guess.mapping(table, guess.columns(table, frame, said or {}, DRAFT), said or {}, "place")


def test_columns_are_found_by_name_and_value():
    found, notes = mapped(
        "events",
        **{"Kunden-Nr": [1], "Rechnungsdatum": ["2024-01-01"], "Menge": [2], "Preis": [1.5]},
        **{"Order ID": ["a"], "Warengruppe": ["x"]},
    )
    assert found == {
        "customer_id": "Kunden-Nr",
        "at": "Rechnungsdatum",
        "order_id": "Order ID",
        "category": "Warengruppe",
        "amount": ["Menge", "Preis"],
    }
    assert notes == {"amount": "multiplied"}


def test_the_better_of_two_names_is_taken_and_the_other_is_named():
    found, notes = mapped("events", user=["a"], customer_id=["b"], date=[date(2024, 1, 1)])
    assert (found["customer_id"], notes) == ("customer_id", {"customer_id": "or user?"})


def test_a_column_whose_values_do_not_fit_is_passed_over():
    found, _ = mapped(
        "events", user=["a"], customer=[0.5], order_date=["soon"], date=["2024-01-01"]
    )
    assert found == {"customer_id": "user", "at": "date"}
    hint = "'at' is empty, or some of its values are not dates"
    with pytest.raises(Refused, match=f"^place: no column found for 'at'; {hint}.*found: user, at"):
        mapped("events", user=["a"], at=["soon"])


SURVEY = {"client": ["a", "b"], "sent_at": ["2024-01-01"] * 2, "answered": ["2024-01-02", None]}


def test_columns_of_surveys_are_found_by_name_and_value():
    columns = SURVEY | {"survey": ["spring", "summer"], "type": ["NPS", "mood"]}
    found, notes = mapped("surveys", **columns, answer=["fine", None], rating=["9", None])
    assert found == {
        "customer_id": "client",
        "sent": "sent_at",
        "kind": "type",
        "answered": "answered",
        "score": "rating",
    }
    assert notes == {}


def test_a_kind_of_survey_that_is_not_said_is_asked_for():
    hint = "; 'survey' is empty, or some of its values are not nps or csat"
    for given, words in (({}, ""), ({"survey": ["spring", None]}, hint)):
        with pytest.raises(Refused, match=f"for 'kind'{words} .* --column kind=.*, or add one"):
            mapped("surveys", **SURVEY, **given)
    assert mapped("surveys", {"kind": "wave"}, **SURVEY, wave=["spring"] * 2)[0]["kind"] == "wave"


def test_scores_need_the_days_of_answers():
    asked = {name: column for name, column in SURVEY.items() if name != "answered"}
    asked |= {"type": ["nps", "nps"]}
    found = {"customer_id": "client", "sent": "sent_at", "kind": "type"}
    assert mapped("surveys", **asked, answered=["no", "yes"])[0] == found
    for said in ({}, {"score": "rating"}):
        with pytest.raises(Refused, match=r"for 'answered' .*: --column answered=\.\.\.$"):
            mapped("surveys", said, **asked, rating=[9, 10])


def test_no_column_is_two_of_ours():
    said = {"customer_id": "order"}
    assert mapped("events", said, order=["a"], at=["2024-01-01"])[0] == said | {"at": "at"}


def test_an_id_is_the_customers_in_the_customers_table_alone():
    assert mapped("customers", id=[1])[0] == {"customer_id": "id"}
    with pytest.raises(Refused, match="no column found for 'customer_id'"):
        mapped("events", id=[1], date=[date(2024, 1, 1)])


def test_what_is_said_of_columns_holds():
    tables = {"events": ["who", "when", "q", "p"], "customers": ["who", "since"]}
    said = ["customer_id=who", "events.at=when", "amount=q*p", "started=since", "channel="]
    assert guess.stated(said, tables) == {
        "events": {"customer_id": "who", "at": "when", "amount": ["q", "p"], "channel": ""},
        "customers": {"customer_id": "who", "started": "since"},
    }
    for wrong in ("at=then", "att=when", "customers.at=when", "amount=q*r", "nonsense"):
        with pytest.raises(Refused, match=r"no table has such columns \(found: events: who, w"):
            guess.stated([wrong], tables)
    found, _ = mapped("events", {"amount": ""}, user=[1], at=["2024-01-01"], price=[1])
    assert "amount" not in found


def test_attributes_are_what_says_of_which_sort_a_customer_is():
    columns = {
        "E-Mail": ["a@b"] * 50 + ["c@d"] * 50,
        "region": ["north", "south"] * 50,
        "age": list(range(20, 70)) * 2,
        "score": [number / 7 for number in range(100)],
        "ref": list(range(100)),
        "remark": [f"said {number}" for number in range(100)],
        "country": ["DE"] * 100,
        "since": [date(2024, 1, 1), date(2024, 2, 1)] * 50,
        "tenure_days": [1, 2] * 50,
        "vip": [True, None] * 50,
    }
    kept, out = guess.attributes(pl.LazyFrame(columns), [*columns])
    assert kept == ["region", "age", "score"]
    assert out == "left out: E-Mail, ref, remark, country, since, tenure_days, vip"


# Kinds


def test_only_kinds_that_are_bought_count_as_purchases():
    kinds, amounts = ["visit", "order", "rent", "visit"], [0, 5, 7, 0]
    activity = pl.DataFrame({"kind": kinds, "events": [9, 1, 1, 9], "amount_cents": amounts})
    assert guess.bought(activity) == ["order", "rent"]
    assert guess.bought(activity.with_columns(amount_cents=0)) == ["visit"]


@pytest.mark.parametrize(
    ("kinds", "others"),
    [
        (["nps", "csat", None], []),
        (["nps", "mood", "mood", "effort", None], ["effort", "mood"]),
        (["NPS ", "Customer satisfaction", "mood"], ["mood"]),  # ours, to be written as promised
        (["mood", "effort"], []),
        ([1, 2], []),
    ],
)
def test_surveys_of_other_kinds_are_those_beside_ours(kinds, others):
    assert guess.other_surveys(pl.LazyFrame({"survey": kinds}), "survey") == others
