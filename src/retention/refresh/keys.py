"""What a refresh depends on, as hashes: equal hashes, equal pages."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

import retention
from retention.book import Book
from retention.tables import sources
from retention.tables.intake import Intake

PACKAGE = Path(retention.__file__).parent
DEFINITION = ("source", "columns", "attributes", "only", "timezone", "churn")  # keys of a book


def facts(
    name: str, book: Book, root: Path, previous: Path | None, taken: Intake | None
) -> dict[str, str]:
    """Hashes (sha256) of everything that can change what is published.

    data (the source's files, or what was ``taken`` from a database), definition (what is read and
    what churn is), parameters (the whole book as resolved), code (package, templates and
    notebooks), lock (versions of all libraries) and previous (manifest of the previous refresh,
    "" for the first).
    """
    settings = book.model_dump(mode="json", exclude={"keep"})
    definition = {key: settings[key] for key in DEFINITION}
    code = [*PACKAGE.rglob("*.py"), *(PACKAGE / "pages" / "templates").rglob("*")]
    return {
        "data": taken.fingerprint() if taken else sources.fingerprint(book, root),
        "definition": text_hash(definition),
        "parameters": text_hash({"book": name, **settings}),
        "code": file_hash([*code, *(root / "notebooks").glob("*.ipynb")]),
        "lock": file_hash([root / "requirements.lock"]),
        "previous": file_hash([previous / "manifest.json"]) if previous else "",
    }


def text_hash(value: object) -> str:
    """Hash of a JSON value."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def file_hash(files: Iterable[Path]) -> str:
    """Hash of files' names and bytes, in order of name."""
    digest = hashlib.sha256()
    for file in sorted((file for file in files if file.is_file()), key=lambda file: file.parts):
        digest.update(file.name.encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()
