"""GLOSSARY.md says what every word, table, column, key and parameter means, and nothing stale."""

import ast
import io
import re
import tokenize
from itertools import pairwise
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

from retention import book
from retention.customers import lifecycle
from retention.tables import promises
from retention_runner import notebooks

ROOT = Path(__file__).resolve().parents[1]
GLOSSARY = (ROOT / "GLOSSARY.md").read_text(encoding="utf-8")
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
KEPT = {
    "in": "read, never stored",
    "customer": "customer level, never published",
    "aggregate": "published",
}


def sections(text: str, level: int) -> dict[str, str]:
    """The text under every heading of ``level``, up to the next one of it or above."""
    fence = re.compile(rf"^#{{1,{level}}} .+$", re.MULTILINE)
    found = [*fence.finditer(text), None]
    return {
        here[0].lstrip("# "): text[here.end() : there.start() if there else None]
        for here, there in pairwise(found)
        if here[0].startswith("#" * level + " ")
    }


def rows(text: str) -> list[list[str]]:
    """The cells of the one Markdown table in ``text``, its heading first."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert all(set(cell) == {"-"} for cell in table[1]), "the second line divides head and body"
    assert {len(row) for row in table} == {len(table[0])}, "every row has every cell"
    return [table[0], *table[2:]]


CHAPTERS = sections(GLOSSARY, 2)
TABLES = sections(CHAPTERS["Tables"], 3)
WORDS = rows(CHAPTERS["Words"])


def test_every_word_stands_once_in_order_with_a_meaning():
    assert WORDS[0] == ["word", "means", "not"]
    words = [word for word, _, _ in WORDS[1:]]
    assert words == sorted(set(words))
    assert [word for word, means, _ in WORDS[1:] if not means.endswith(".")] == []


def test_words_that_the_code_looks_up_here_are_here():
    known = {word for word, _, _ in WORDS[1:]}
    asked = {
        word.strip()
        for file in Path(book.__file__).parent.rglob("*.py")
        for words in re.findall(r"GLOSSARY: ([a-z, ]+)", file.read_text(encoding="utf-8"))
        for word in words.split(",")
    }
    assert asked
    assert asked - known == set()


def test_there_is_a_section_for_every_promised_table_and_no_other():
    assert list(TABLES) == list(promises.PROMISES)


@pytest.mark.parametrize("table", promises.PROMISES)
def test_every_column_of_a_table_has_unit_and_meaning_and_no_other_stands_there(table):
    promise, (head, *body) = promises.PROMISES[table], rows(TABLES[table])
    assert head == ["column", "unit", "means"]
    assert [name for name, _, _ in body] == list(promise.columns)
    assert [name for name, unit, means in body if not (unit and means.endswith("."))] == []


@pytest.mark.parametrize("table", promises.PROMISES)
def test_a_column_that_may_be_unknown_says_when_it_is_null(table):
    _, *body = rows(TABLES[table])
    said = {name for name, _, means in body if re.search(r"\bnull\b", means, re.IGNORECASE)}
    assert said == set(promises.PROMISES[table].optional)


@pytest.mark.parametrize("table", promises.PROMISES)
def test_writer_grain_and_level_stand_above_a_table(table):
    promise = promises.PROMISES[table]
    above = " ".join(TABLES[table].partition("|")[0].split())
    writer = promise.writer if promise.level == "in" else f"`{promise.writer}`"
    grain = ", ".join(f"`{name}`" for name in promise.grain)
    row = f"one row per {grain}" if promise.unique else f"one row per event, sorted by {grain}"
    assert above.startswith(f"Written by {writer}; {row}; {KEPT[promise.level]}.")


@pytest.mark.parametrize("table", promises.PROMISES)
def test_a_table_open_to_further_columns_says_so_and_no_other_does(table):
    says = "Further columns are allowed: " in TABLES[table].rpartition("|")[2]
    assert says == promises.PROMISES[table].further


def test_every_stage_of_life_is_explained():
    for stage in lifecycle.STAGES:
        assert f"`{stage}`" in TABLES["lifecycle"]


def test_every_column_of_the_users_own_tables_is_explained():
    head, *body = rows(CHAPTERS["Source"])
    assert head == ["table", "column", "unit", "means"]
    needed = {(table, name) for table, (names, _) in book.COLUMNS.items() for name in names}
    allowed = {(table, name) for table, (_, names) in book.COLUMNS.items() for name in names}
    assert sorted((table, name) for table, name, _, _ in body) == sorted(needed | allowed)
    assert {(table, name) for table, name, _, means in body if "Needed." in means} == needed
    assert [name for _, name, unit, means in body if not (unit and means.endswith("."))] == []


def keys(model: type[BaseModel], place: str = "") -> set[str]:
    """Every key of a book's model, with dots between a key and those under it."""
    found = set()
    for name, field in model.model_fields.items():
        parts = [
            part
            for part in (field.annotation, *get_args(field.annotation))
            if isinstance(part, type) and issubclass(part, BaseModel)
        ]
        name = field.alias or name  # noqa: PLW2901
        found |= {place + name}.union(*(keys(part, f"{place}{name}.") for part in parts))
    return found


def test_every_key_of_a_book_is_explained_and_no_other_stands_there():
    head, *body = rows(CHAPTERS["Book"])
    assert head == ["key", "unit", "means"]
    assert sorted(key for key, _, _ in body) == sorted(keys(book.Book))
    assert [key for key, unit, means in body if not (unit and means.endswith("."))] == []


def test_keys_that_a_book_needs_say_so():
    needed = {name for name, field in book.Book.model_fields.items() if field.is_required()}
    said = {key for key, _, means in rows(CHAPTERS["Book"])[1:] if means.endswith("Needed.")}
    assert said == needed


def unexplained(cell: str) -> list[str]:
    """Parameters of a parameters cell whose line does not end in a comment of two words or more."""
    tokens = tokenize.generate_tokens(io.StringIO(cell).readline)
    comments = {token.start[0]: token.string for token in tokens if token.type == tokenize.COMMENT}
    return [
        ast.unparse(statement)
        for statement in ast.parse(cell).body
        if len(comments.get(statement.lineno, "").lstrip("# ").split()) < 2
        or statement.end_lineno != statement.lineno
    ]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_parameter_is_explained_on_its_own_line(notebook):
    assert notebooks.declared(notebook)
    [cell] = notebooks.cells(notebook, "code", "parameters")
    assert unexplained(cell) == []


@pytest.mark.parametrize("line", ["days = 3", "days = 3  #", "days = '# no comment here'"])
def test_a_parameter_without_a_comment_would_be_found(line):
    assert unexplained(f"refresh = 'cdnow'  # a book\n{line}\n") == [line.partition("  #")[0]]
