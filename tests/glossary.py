"""The tables of GLOSSARY.md, written from the schema: `make glossary`."""

from pathlib import Path

from retention import schema

GLOSSARY = Path(__file__).parents[1] / "GLOSSARY.md"
CHAPTER = "## Tables\n"
UNITS = {
    "text": "text",
    "truth": "true or false",
    "whole": "number",
    "day": "day",
    "days": "days",
    "money": "cents",
    "mean_money": "cents",
    "people": "customers",
    "number": "number",
    "share": "0 to 1",
    "points": "1 = 100 %",
    "estimate": "0 to 1",
    "score": "0 to 1",
    "limit": "as its measure",
}
LEVELS = {
    "source": "read, never stored",
    "customer": "customer level, never published",
    "kept": "kept for the next refresh, never published",
    "aggregate": "published",
}
ABOUT = """
Generated from `src/retention/tables.csv` and `columns.csv` by `make glossary`; a test says when it
must be generated anew. A *day* is a whole number of days since 1970-01-01, *cents* are hundredths
book's currency. Null means not known, not applicable or, in a published table, hidden.
"""


def chapter() -> str:
    """The chapter "Tables": every table with its columns, labels, units and meanings."""
    return "\n".join([CHAPTER, ABOUT.strip(), "", *map(_table, schema.TABLES.values())])


def _table(table: schema.Table) -> str:
    writer = "the source" if table.writer == "the source" else f"`{table.writer}`"
    grain = ", ".join(f"`{name}`" for name in table.grain)
    grain = f"one row per {grain}" if table.unique else f"one row per event, sorted by {grain}"
    about = f" {table.about}" if table.about else ""
    rows = [
        f"| {one.name} | {one.label} | {UNITS[one.kind]} | {one.means} |"
        for one in schema.described(table.name)
    ]
    above = f"Written by {writer}; {grain}; {LEVELS[table.level]}.{about}"
    heading = ["| column | label | unit | means |", "|---|---|---|---|"]
    return "\n".join([f"### {table.name}\n", f"{above}\n", *heading, *rows, ""])


def written(text: str) -> str:
    """The glossary ``text`` with its chapter of tables made anew."""
    return text.partition(CHAPTER)[0] + chapter()


if __name__ == "__main__":
    GLOSSARY.write_text(written(GLOSSARY.read_text(encoding="utf-8")), encoding="utf-8")
