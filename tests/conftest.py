"""What all tests share: workbooks of their own, and properties that draw the same every time."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from drawing import SHOP, save, shop
from hypothesis import settings
from servers import postgres, spark_connect, spark_environment, spark_local  # noqa: F401

PROJECT = Path(__file__).parent.parent

settings.register_profile("steady", derandomize=True, deadline=None)
settings.load_profile("steady")


@pytest.fixture(scope="session")
def make_workbook(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """Makes workbooks: the project's books and notebooks in a folder of their own, no data."""

    def make() -> Path:
        root = tmp_path_factory.mktemp("workbook")
        for folder in ("params", "notebooks"):
            ignored = shutil.ignore_patterns(".*")
            shutil.copytree(PROJECT / folder, root / folder, ignore=ignored)
        shutil.copy(PROJECT / "requirements.lock", root)
        return root

    return make


@pytest.fixture
def workbook(make_workbook: Callable[[], Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workbook with a further book "shop" and its data; the test stands inside it."""
    root = make_workbook()
    (root / "params" / "shop.yaml").write_text(SHOP, encoding="utf-8")
    for table, frame in shop().items():
        save(frame, root / "data" / f"{table}.csv")
    monkeypatch.chdir(root)
    monkeypatch.delenv("RETENTION_STAGE", raising=False)
    return root
