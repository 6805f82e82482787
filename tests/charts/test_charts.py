"""Curves, triangles, forests, bars and points: what a reader sees, read back from the SVG."""

import hashlib
import itertools
import os
import re
import subprocess
import sys
from html import unescape
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from bs4 import BeautifulSoup

from retention import charts
from retention.charts import drawing, style, svg

EVIL = "<script>alert(1)</script>"


def curve(group: str, rate: float, n: int = 900) -> pl.DataFrame:
    days = np.append(0, np.arange(1, 700, 3))
    survival = np.exp(-rate * days / 365)
    return pl.DataFrame(
        {
            "group": group,
            "duration_days": days,
            "at_risk": (n * survival).astype(int),
            "survival": survival,
            "ci_lower": survival * 0.95,
            "ci_upper": survival * 0.95 + 0.05,
        }
    )


def stays(*curves: pl.DataFrame):
    return charts.curves(pl.concat(curves), "duration_days", "survival", "at_risk", steps=True)


CURVES = [curve("monthly", 1.1), curve("yearly", 0.4), curve(EVIL, 1.0)]
HAZARDS = pl.DataFrame(
    {
        "term": ["first order in sale", "came by a friend", EVIL, "hidden"],
        "cause": ["voluntary", "payment failure", "any", "any"],
        "hazard_ratio": [1.42, 0.71, 0.93, None],
        "ci_lower": [1.21, 0.60, 0.85, None],
        "ci_upper": [1.66, 0.84, 1.02, None],
    }
)
TRIANGLE = pl.DataFrame(
    [
        (f"1997-{cohort:02d}", age, 400 + cohort, 1 / (age + 1) if age + cohort < 9 else None)
        for cohort in range(1, 9)
        for age in range(8)
    ],
    schema=["cohort", "age", "n_start", "retention"],
    orient="row",
)
REVENUE = pl.DataFrame(
    {
        "group": ["gross", "gross", "net", "net"],
        "age": [1, 2, 1, 2],
        "n_start": [300, 200, 300, 200],
        "revenue_kept": [0.9, 0.8, 1.2, 1.4],
        "ci_lower": [0.85, 0.7, 1.1, 1.2],
        "ci_upper": [0.95, 0.9, 1.3, 1.6],
    }
)
SHARES = pl.DataFrame(
    {
        "segment": ["Weekend families", "Tiny", EVIL],
        "share": [0.31, None, 0.06],
        "ci_lower": [0.28, None, 0.05],
        "ci_upper": [0.34, None, 0.08],
        "n": [1204, None, 2210],
    }
)
SLOPES = pl.DataFrame({"age": [1, 3], "slope": [0.002, -0.01]}).with_columns(
    ci_lower=pl.col("slope") - 0.001, ci_upper=pl.col("slope") + 0.001
)
DAYS = pl.DataFrame(
    {
        "day": range(20_089, 20_189),
        "events_of_day": [None, 0, 200, *[50] * 97],
        "lower": [None, *[25.0] * 99],
        "upper": [None, *[100.0] * 99],
        "odd": [False, True, True, *[False] * 97],
    }
)


def forest(table: pl.DataFrame):
    sides = "← later · sooner →"
    return charts.forest(table, lambda row: row["term"], "hazard_ratio", "cause", sides)


def triangle(table: pl.DataFrame):
    return charts.triangle(table, "retention", "Months since the start")


def bars():
    return charts.bars(SHARES, "segment", "share", n="n")


DRAWN = {
    "curves": lambda: stays(*CURVES),
    "triangle": lambda: triangle(TRIANGLE),
    "revenue": lambda: charts.curves(REVENUE, "age", "revenue_kept", "n_start", cut=False),
    "forest": lambda: forest(HAZARDS),
    "bars": bars,
    "days": lambda: charts.days(DAYS, "events_of_day", "odd"),
    "points": lambda: charts.points(SLOPES, lambda row: f"month {row['age']}", "slope", True),
}


def inline(figure) -> str:
    return str(svg.inline(figure, f"Finding {EVIL}", f"In words {EVIL}"))


def words(figure) -> list[str]:
    return [unescape(text) for text in re.findall(r"<text[^>]*>([^<]*)</text>", inline(figure))]


def shown() -> str:
    return "".join(inline(draw()) for draw in DRAWN.values())


@pytest.mark.slow
def test_every_chart_gives_equal_bytes_in_every_process():
    digest = "import hashlib; print(hashlib.sha256(t.shown().encode()).hexdigest())"
    child = subprocess.run(
        [sys.executable, "-c", f"from charts import test_charts as t; {digest}"],
        env=os.environ | {"PYTHONHASHSEED": "7", "PYTHONPATH": str(Path(__file__).parents[1])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert child.stdout.strip() == hashlib.sha256(shown().encode()).hexdigest()


def test_charts_share_a_page_without_ids_markup_or_links_of_others():
    page = shown()
    ids = [tag["id"] for tag in BeautifulSoup(page, "html.parser").find_all(id=True)]
    used = re.findall(r'(?:url\(#|href="#)([^)"]+)', page)
    assert len(ids) == len(set(ids)) > 20
    assert set(used) <= set(ids)
    assert "<script" not in page
    assert "http" not in page
    assert "currentColor" in page
    assert style.TEXT not in page


def test_survival_shows_numbers_at_risk_and_a_dash_after_the_end():
    text = words(stays(curve("short", 1.0).head(50), curve("long", 0.4)))  # short: 148 days
    assert text.count("short") == text.count("long") == 2  # at the line and at its counts
    assert text[-11:-6] == ["900", "–", "–", "–", "short"]
    assert text[-6:-1] == ["900", "721", "580", "465", "long"]


def test_before_a_curve_begins_nobody_is_counted():
    text = words(stays(curve("late", 1.0).tail(50), curve("whole", 0.4)))
    assert text[text.index("Customers at risk") + 1] == "–"


def test_counts_that_all_lines_share_are_printed_once_and_labels_are_the_schemas():
    table = pl.concat(CURVES).with_columns(at_risk=900, cause="group")
    table = table.rename({"survival": "incidence"}).drop("group")
    text = words(
        charts.curves(table, "duration_days", "incidence", "at_risk", group="cause", steps=True)
    )
    assert text.count("monthly") == text.count("yearly") == 1  # at the line
    assert text[-6:] == ["Customers at risk", *["900"] * 4, "Share who have left"]


def test_names_at_line_ends_never_overlap():
    heights = drawing._apart([0.0, 0.01, 0.5, 0.99, 0.995, 1.0], gap=0.1, top=1.0)
    assert all(b - a >= 0.1 - 1e-9 for a, b in itertools.pairwise(heights))
    assert heights[0] >= 0
    assert heights[-1] <= 1
    assert heights[2] == 0.5


def test_what_is_not_observed_is_left_blank_never_zero():
    text = words(triangle(TRIANGLE))
    assert "0" not in [word for word in text if word not in "01234567"]
    assert text.count("100") == 8
    assert text.count("12") == 1
    assert "1997-01 (n 401)" in text
    assert "pattern" in inline(triangle(TRIANGLE))


def test_a_triangle_of_many_ages_prints_no_numbers_but_a_scale():
    long = pl.concat([TRIANGLE, TRIANGLE.with_columns(pl.col("age") + 8)])
    assert words(triangle(long)).count("100") == 1  # on the scale


def test_a_hidden_bar_or_ratio_is_a_dash_or_left_out():
    text = words(bars())
    assert "31.0%" in text
    assert "–" in text
    assert "0.0%" not in text
    ratios = words(forest(HAZARDS))
    assert "0.71 (0.60–0.84)" in ratios
    assert "Hazard ratio" in ratios
    assert sum("(" in word and "–" in word for word in ratios) == 3


def test_odd_days_are_marked_and_hidden_ones_left_out():
    figure = charts.days(DAYS, "events_of_day", "odd")
    usual, odd = (line.get_ydata() for line in figure.axes[0].lines)
    assert sorted(odd) == [0, 200]
    assert np.isnan(usual).sum() == 1
    assert "Events (n 5,050)" in words(figure)


@pytest.mark.parametrize(
    "draw",
    [
        lambda: stays(CURVES[0].head(0)),
        lambda: forest(HAZARDS.head(0)),
        lambda: triangle(pl.concat([TRIANGLE, TRIANGLE])),
        lambda: stays(*(curve(f"{i}", 1) for i in range(13))),
    ],
)
def test_what_cannot_be_drawn_is_refused(draw):
    with pytest.raises(ValueError, match=r"row|once|choose"):
        draw()


def test_long_curves_stay_small():
    waves = np.sin(np.arange(1, 4001)) / 9 + 0.5  # one row a day for eleven years
    long = pl.DataFrame({"duration_days": range(1, 4001), "survival": waves})
    long = curve("long", 1).head(1).drop(long.columns).join(long, how="cross")
    assert len(inline(stays(long))) < 20_000
