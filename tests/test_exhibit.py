"""What an exhibit looks like: words, numbers, a drawing with its text alternative."""

from functools import partial

import polars as pl
from bs4 import BeautifulSoup
from drawing import drawn

from retention import charts, exhibit
from retention.exhibit import Exhibit

EVIL = "<script>alert(1)</script>"
ROWS = pl.DataFrame(
    {
        "group": ["a", EVIL],
        "n": [1234, 12],
        "share": [0.5, None],
        "ci_lower": [0.4, None],
        "ci_upper": [0.6, None],
        "amount_cents": [123_456, 999],
        "first_seen_day": [0, 365],
    }
)


def parsed(shown: str) -> BeautifulSoup:
    return BeautifulSoup(shown, "html.parser")


def cells(shown: str) -> list[list[str]]:
    rows = parsed(shown).find_all("tr")
    return [[cell.get_text() for cell in row.find_all(["th", "td"])] for row in rows]


def test_a_table_has_the_schemas_headings_and_formats():
    head, one, other = cells(exhibit.rows(ROWS, "Groups", currency="EUR"))
    assert head == ["Group", "Customers", "Share", "From", "To", "Amount", "First seen day"]
    assert one == ["a", "1,234", "50.0%", "40.0%", "60.0%", "1,235", "1970-01-01"]
    assert other == [EVIL, "12", "–", "–", "–", "9.99", "1971-01-01"]


def test_a_long_table_says_how_much_is_left_out_and_what_a_dash_and_an_amount_mean():
    note = parsed(exhibit.rows(ROWS, "Groups", 1, "EUR")).find(class_="note").get_text()
    assert note == "The first 1 of 2 rows. Amounts in EUR."
    assert "– means not observed" in exhibit.rows(ROWS, "Groups")


def test_a_drawing_is_named_by_its_headline_and_key_figures():
    draw = partial(charts.bars, label="group", value="share", n="n")
    shown = Exhibit(ROWS, lambda table: f"{table.height} groups", draw, definition="A share.")
    page = parsed(exhibit.shown(shown, ROWS))
    assert page.figcaption.get_text() == "2 groups"
    assert page.svg.desc.get_text() == "2 groups. Share: a: 50.0%."
    assert page.find(class_="definition").get_text() == "A share."
    assert len(page.table.find_all("tr")) == 3


def test_text_from_data_is_escaped_everywhere():
    draw = partial(charts.bars, label="group", value="share", n="n")
    shown = Exhibit(ROWS, EVIL, draw, definition=EVIL)
    table = Exhibit(ROWS, EVIL, definition=EVIL, empty=EVIL)
    for html in (
        exhibit.shown(shown, ROWS),
        exhibit.shown(table, ROWS),
        exhibit.shown(table, ROWS.clear()),
        exhibit.said(EVIL),
        exhibit.note(EVIL),
    ):
        assert "<script" not in html
        assert "&lt;script" in html


def test_where_there_is_nothing_to_show_it_says_why():
    shown = Exhibit(ROWS.clear(), "Never read", empty="Nobody was asked.")
    assert parsed(exhibit.shown(shown, ROWS.clear())).get_text().strip() == "Nobody was asked."


def test_key_figures_name_rows_by_their_keys_and_their_first_measure():
    table = drawn("""
        | definition | age | n_start | retention | ci_lower |
        | bounded    | 1   | 100     | 0.25      | 0.2      |
        | bounded    | 2   | 100     |           |          |
    """)
    assert exhibit.key_figures(table) == "Share retained: bounded, 1: 25.0%."
    assert exhibit.key_figures(table.select("definition", "n_start")) == (
        "Customers who started: bounded: 100; bounded: 100."
    )
    assert exhibit.key_figures(table.clear()) == ""
