"""Every table of a refresh on every engine: whether equal to Polars', and the time of each.

Usage: python benchmarks/engines.py   (needs `make spark` and Java 17; 50,000 customers)
"""

import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent.parent / "tests" / "intake" / "test_engines.py"
EQUAL = []  # engines whose tables were all equal


def pytest_runtest_logreport(report) -> None:
    """Print what an engine has made, once it has."""
    found = dict(report.user_properties).get("engine", []) if report.when == "call" else []
    for engine, table, seconds, rows, equal in found:
        print(f"{engine:14} {table:24} {seconds:9.2f} {rows:10,} {equal!s:>6}", flush=True)
    if found and report.passed:
        seconds = sum(row[2] for row in found)
        rows = sum(row[3] for row in found)
        print(f"{found[0][0]:14} {'all':24} {seconds:9.2f} {rows:10,}   True", flush=True)
        EQUAL.append(found[0][0])


if __name__ == "__main__":
    print(f"{'engine':14} {'table':24} {'seconds':>9} {'rows':>10} {'equal':>6}")
    options = ["-p", "no:cacheprovider", "-p", "no:terminal", "-m", "slow", str(TESTS)]
    ended = pytest.main(options, plugins=[sys.modules[__name__]])
    print(f"goal engines_equal: {len(EQUAL)}, wanted >= 4")
    sys.exit(int(ended))
