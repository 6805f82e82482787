"""What all tests share: a workbook of their own, and properties that draw the same every time."""

import shutil
from pathlib import Path

import pytest
from drawing import SHOP, save, shop
from hypothesis import settings

PROJECT = Path(__file__).parent.parent

settings.register_profile("steady", derandomize=True, deadline=None)
settings.load_profile("steady")


@pytest.fixture
def workbook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small complete workbook with one book, "shop"; the test stands inside it."""
    root = tmp_path / "workbook"
    shutil.copytree(PROJECT / "notebooks", root / "notebooks", ignore=shutil.ignore_patterns(".*"))
    shutil.copy(PROJECT / "requirements.lock", root)
    (root / "params").mkdir()
    (root / "params" / "shop.yaml").write_text(SHOP, encoding="utf-8")
    for table, frame in shop().items():
        save(frame, root / "data" / f"{table}.csv")
    monkeypatch.chdir(root)
    monkeypatch.delenv("RETENTION_STAGE", raising=False)
    return root
