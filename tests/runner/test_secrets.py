"""What a book keeps secret stands in no text and no file, however it was escaped."""

import html
import json
from types import SimpleNamespace
from urllib.parse import quote, quote_plus

import markupsafe
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from retention_runner import secrets

BOOK = SimpleNamespace(
    title="Shop",
    definition={
        "source": {"url": "env:SHOP_DB", "password": "env:SHOP_PASSWORD"},
        "only": {"country": ["DE", "env:IN_A_LIST"]},
    },
    parameters={"20_survival": {"by": {"deep": [["env:DEEP"]]}}},
)
ESCAPES = (
    *(str, json.dumps, html.escape, quote, quote_plus, repr),
    lambda text: str(markupsafe.escape(text)),
    lambda text: html.escape(json.dumps(text)),
    lambda text: json.dumps(html.escape(text)),
    lambda text: json.dumps(f"<b>{html.escape(text, quote=False)}</b>", ensure_ascii=False),
    lambda text: quote(text, safe=""),
)


def test_every_variable_that_the_book_names_is_kept(monkeypatch):
    monkeypatch.setenv("SHOP_DB", "postgresql://ann@db.example/shop")
    monkeypatch.setenv("SHOP_PASSWORD", "correct horse")
    monkeypatch.setenv("IN_A_LIST", "listed")
    monkeypatch.setenv("DEEP", "six 66")
    monkeypatch.setenv("OTHER", "not named by the book")
    assert secrets.named(BOOK) == {
        "DEEP": ["six 66"],
        "IN_A_LIST": ["listed"],
        "SHOP_DB": ["postgresql://ann@db.example/shop"],
        "SHOP_PASSWORD": ["correct horse"],
    }


@pytest.mark.parametrize(
    ("value", "parts"),
    [
        ("postgresql://ann:p%40ssw%C3%B6rd@db/shop", ["p%40ssw%C3%B6rd", "p@sswörd"]),
        (
            "postgresql://db/shop?sslmode=no&password=open%20sesame",
            ["open%20sesame", "open sesame"],
        ),
        ("sc://spark:15002/;use_ssl=true;token=t0k3n-xyz", ["t0k3n-xyz"]),
        ("postgresql://ann:short@db/shop", []),
        ("http://[no address", []),
    ],
)
def test_a_password_within_an_address_is_kept_too(monkeypatch, value, parts):
    monkeypatch.setenv("SHOP_DB", f"{value}\n")
    assert secrets.named(BOOK) == {"SHOP_DB": sorted([value, *parts])}


def test_what_would_be_found_by_chance_is_left_out(monkeypatch):
    monkeypatch.setenv("SHOP_PASSWORD", "12345")
    monkeypatch.setenv("IN_A_LIST", "")
    monkeypatch.setenv("DEEP", "env:DEEP")
    monkeypatch.delenv("SHOP_DB", raising=False)
    assert secrets.named(BOOK) == {}


def test_the_longest_goes_first():
    hidden = {"A": ["secret"], "B": ["top secret!"]}
    assert secrets.redact("a top secret! is a secret", hidden) == "a env:B is a env:A"


# No letter of a value stands in env:TOKEN, so that none can come about by what takes its place.
VALUES = st.text(st.sampled_from("abcdfghäß \"'\\/<>&%+@?#=\n\t€"), min_size=secrets.SHORTEST)


@given(VALUES, st.sampled_from(ESCAPES), st.text(), st.text())
@example("a'b\"c<d", json.dumps, "", "")
def test_a_redacted_text_holds_no_form_of_a_secret(value, escape, before, after):
    escaped = escape(value)
    text = secrets.redact(f"{before}{escaped}{after}", {"TOKEN": [value]})
    assert not [form for form in (value, *(escape(value) for escape in ESCAPES)) if form in text]
    assert "env:TOKEN" in text
    assert secrets.redact(before, {}) == before


@given(VALUES, st.sampled_from(ESCAPES))
def test_a_file_with_a_secret_is_named_and_the_secret_is_not(tmp_path_factory, value, escape):
    folder = tmp_path_factory.mktemp("published")
    (folder / "tables").mkdir()
    (folder / "tables" / "a.csv").write_bytes(b"\xff\x00" + escape(value).encode())
    (folder / "index.html").write_text("nothing")
    hidden = {"TOKEN": [value], "OTHER": ["other secret"]}
    assert secrets.found([folder], hidden) == ["env:TOKEN stands in tables/a.csv"]
    assert secrets.found([folder], {}) == []


def test_parquet_is_not_read_and_folders_are_told_in_order(tmp_path):
    hidden = {"B": ["secret"], "A": ["secret"]}
    one, other = tmp_path / "one", tmp_path / "other"
    for folder, name in ((one, "z.json"), (other, ".hidden")):
        folder.mkdir()
        (folder / name).write_text("a secret")
        pl.DataFrame({"secret": [1]}).write_parquet(folder / "t.parquet")
    assert secrets.found([one, other], hidden) == [
        "env:A stands in .hidden",
        "env:A stands in z.json",
        "env:B stands in .hidden",
        "env:B stands in z.json",
    ]
