"""GLOSSARY.md says what every word, table, column, key and parameter means, and nothing stale."""

import ast
import io
import re
import tokenize
from itertools import pairwise
from pathlib import Path
from typing import get_args

import glossary
import pytest
from pydantic import BaseModel

from retention import book, schema
from retention.customers import lifecycle
from retention_runner import notebooks

ROOT = Path(__file__).resolve().parents[1]
GLOSSARY = (ROOT / "GLOSSARY.md").read_text(encoding="utf-8")
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


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


def test_the_tables_are_those_of_the_schema():
    assert glossary.written(GLOSSARY) == GLOSSARY, "write them anew: make glossary"


@pytest.mark.parametrize("table", schema.TABLES)
def test_every_column_has_a_kind_a_label_and_a_meaning(table):
    for column in schema.described(table):
        assert column.kind in schema.KINDS, column
        assert column.label[:1].isupper() or not column.label[:1].isalpha(), column
        assert "_" not in column.label, column
        assert column.means.endswith("."), column


def test_columns_refer_to_tables_and_columns_that_there_are():
    usual = {name for name in schema.COLUMNS if "." not in name}
    own = {tuple(name.split(".")) for name in schema.COLUMNS if "." in name}
    assert {pair for pair in own if pair[1] not in schema.TABLES[pair[0]].columns} == set()
    assert {schema.COLUMNS[name].of for name in usual} - usual == {""}


def test_every_stage_of_life_is_explained():
    means = schema.column("lifecycle", "lifecycle").means
    assert [stage for stage in lifecycle.STAGES if f"`{stage}`" not in means] == []


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
