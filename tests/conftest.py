"""What all tests share: workbooks of their own, and properties that draw the same every time."""

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import needs
import pytest
from drawing import SHOP, save, shop
from hypothesis import settings
from servers import postgres, spark_connect, spark_environment, spark_local  # noqa: F401
from workbooks import SHOP as SMALL
from workbooks import retention

PROJECT = Path(__file__).parent.parent
FIRST = (
    "refresh", "verify", "new_book", "faults", "bad_inputs", "engines", "outcome", "lab",
    "planted_hazards", "planted_clusters", "planted_risk", "planted_survival", "environment",
)  # fmt: skip

settings.register_profile("steady", derandomize=True, deadline=None, max_examples=25)
settings.register_profile("thorough", settings.get_profile("steady"), max_examples=100)
settings.load_profile("steady")  # make check asks for the other


def pytest_addoption(parser: pytest.Parser) -> None:
    missing = "fail tests, instead of skipping them, where what their marker needs is missing"
    parser.addoption("--forced", action="store_true", help=missing)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs Chromium, PostgreSQL or Spark where it is missing; fail if forced."""
    for marker in item.iter_markers():
        needs.ask(marker.name, item.config.getoption("--forced"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest comes first, or it would run alone at the end."""
    order = {f"test_{name}": place for place, name in enumerate(FIRST)}
    items.sort(key=lambda item: order.get(item.path.stem, len(order)))


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


@pytest.fixture(scope="session")
def refreshed(make_workbook, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workbook whose book `shop` has been refreshed once, in the middle of July 2025.

    Whichever process of the tests comes first makes it for all of them: to be copied, not changed.
    """
    own = tmp_path_factory.getbasetemp()
    common = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    with (common / "refreshed.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (root := common / "refreshed").is_dir():
            made = make_workbook()
            (made / "params" / "shop.yaml").write_text(SMALL, encoding="utf-8")
            asked = ("shop", "--snapshot-date", "last_month_end", "--jobs", "2")
            done = retention(made, "refresh", *asked, SOURCE_DATE_EPOCH="1752537600")
            assert done.returncode == 0, done.stdout + done.stderr
            made.rename(root)
    return root


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
