"""Charts: what is drawn and said, read from the SVG; equal bytes, no markup, colours for all."""

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
from matplotlib.figure import Figure

from retention import charts
from retention.charts import drawing, style, svg
from retention_runner import layout

EVIL = "<script>alert(1)</script>"


def curve(group: str, rate: float, n: int = 900) -> pl.DataFrame:
    """A survival curve of a planted rate, over a year."""
    days = np.arange(0, 366, 3)
    share = np.exp(-rate * days / 365)
    columns = {"group": group, "duration_days": days, "at_risk": (n * share).astype(int)}
    return pl.DataFrame(
        columns | {"survival": share, "ci_lower": share - 0.03, "ci_upper": share + 0.03}
    )


def survival(*lines: pl.DataFrame) -> Figure:
    return charts.curves(pl.concat(lines), "duration_days", "survival", "at_risk", steps=True)


BARS = pl.DataFrame(
    {
        "lifecycle": ["active", EVIL, "hidden"],
        "n": [1234, 90, None],
        "share": [0.5, 0.2, None],
        "ci_lower": [0.4, 0.1, None],
        "ci_upper": [0.6, 0.3, None],
    }
)
TRIANGLE = pl.DataFrame(
    [
        (cohort, age, 900, None if age + place > 4 else 0.9**age)
        for place, cohort in enumerate(["2024-01", "2024-02", EVIL])
        for age in range(5)
    ],
    schema=["cohort", "age", "n_start", "retention"],
    orient="row",
)
SLOPES = pl.DataFrame(
    {
        "definition": ["bounded", "active since"],
        "slope": [-0.004, 0.02],
        "ci_lower": [-0.01, 0.01],
        "ci_upper": [0.002, 0.03],
    }
)
GROUPS = pl.DataFrame(
    {
        "channel": ["web", "web", EVIL, EVIL],
        "group": ["all", "s1"] * 2,
        "n": [900, 90, 900, 90],
        "share_answered": [0.3, 0.5, 0.7, None],
        "ci_lower": [0.2, 0.4, 0.6, None],
        "ci_upper": [0.4, 0.6, 0.8, None],
    }
)


CELLS = pl.DataFrame(
    [("s1", "orders", -0.5, 0.25), ("s1", EVIL, None, None), ("s2", "orders", 1.0, 1.0)],
    ["segment", "trait", "difference", "share"],
    orient="row",
)


def heat_map(cells: pl.DataFrame, value: str, **how):
    return charts.heat_map(cells, "segment", "trait", value, **how)


def figures() -> dict[str, Figure]:
    return {
        "curves": survival(curve("monthly", 1.0), curve(EVIL, 0.4)),
        "bars": charts.bars(BARS, "lifecycle", "share", n="n"),
        "triangle": charts.triangle(TRIANGLE, "retention", "Months since the start"),
        "points": charts.points(SLOPES, lambda row: row["definition"], "slope", percent=True),
        "comparison": charts.comparison(GROUPS),
        "heat map": heat_map(CELLS, "share"),
    }


def shown() -> dict[str, str]:
    return {name: svg.inline(one, name, EVIL) for name, one in figures().items()}


def words(figure) -> list[str]:
    drawn = str(svg.inline(figure, "t", "a"))
    assert "<script" not in drawn
    return [unescape(text) for text in re.findall(r"<text[^>]*>([^<]*)</text>", drawn)]


def test_charts_are_small_equal_and_share_a_page_without_ids_or_markup():
    found = shown()
    assert found == shown()
    assert max(map(len, found.values())) < 80_000
    html = "".join(found.values())
    ids = [tag["id"] for tag in BeautifulSoup(html, "html.parser").find_all(id=True)]
    assert len(ids) == len(set(ids)) > 20
    assert set(re.findall(r'(?:url\(#|href="#)([^)"]+)', html)) <= set(ids)
    assert html.count("&lt;script&gt;") > 5
    assert "currentColor" in html
    for unwanted in ("<script", "http", style.TEXT):
        assert unwanted not in html


@pytest.mark.slow
def test_every_chart_gives_equal_bytes_in_every_process():
    code = "from charts import test_charts as t; print(t.shown())"
    env = os.environ | {"PYTHONHASHSEED": "7", "PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, "-c", code]
    child = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    assert child.stdout.strip() == str(shown())


def test_curves_count_who_is_at_risk_and_give_a_dash_after_their_end():
    text = words(survival(curve("short", 1.0).head(50), curve("long", 0.4)))
    assert text.count("short") == text.count("long") == 2  # at the line and at its counts
    assert text[-11:-6] == ["900", "680", "–", "–", "short"]
    at_ticks = [str(int(900 * np.exp(-0.4 * day / 365))) for day in (0, 102, 201, 300)]
    assert text[-6:-1] == [*at_ticks, "long"]
    assert text[-1] == "Share still active"


def test_before_a_curve_begins_nobody_is_counted_and_shared_counts_are_printed_once():
    text = words(survival(curve("late", 1.0).tail(50), curve("whole", 0.4)))
    assert text[text.index("Customers at risk") + 1] == "–"
    shared = words(survival(curve("price", 1.0), curve("moved", 1.0)))
    assert shared.count("price") == 1  # at the line alone


def test_a_line_may_stand_evenly_over_its_numbers_with_one_marked():
    table = pl.DataFrame({"after_days": [7, 30, 365], "n": 90, "share": [0.5, 0.4, 0.1]})
    table = table.with_columns(ci_lower="share", ci_upper="share")
    figure = charts.curves(table, "after_days", "share", "n", evenly=True, mark=30)
    assert {"7", "30", "365"} <= {*words(figure)}
    assert [line.get_linestyle() for line in figure.axes[0].lines].count(":") == 1


def test_names_at_line_ends_never_overlap():
    heights = drawing.apart([0.0, 0.01, 0.5, 0.99, 0.995, 1.0], gap=0.1, top=1.0)
    assert all(b - a >= 0.1 - 1e-9 for a, b in itertools.pairwise(heights))
    assert heights[0] >= 0
    assert heights[-1] <= 1


def test_what_is_not_observed_is_left_blank_never_zero():
    figure = charts.triangle(TRIANGLE, "retention", "Months")
    cells = [text for text in words(figure) if re.fullmatch(r"\d+", text)]
    assert "0" not in cells[5:]
    assert "pattern" in svg.inline(figure, "t", "a")


def test_a_hidden_bar_is_a_dash_beside_its_hidden_n_and_points_have_a_sign():
    bars, points = (words(figures()[name]) for name in ("bars", "points"))
    assert {"50.0%", "20.0%", "–", "Share", "n –"} <= {*bars}
    assert {"−0.40", "+2.00"} <= {*points}


@pytest.mark.parametrize(
    "draw",
    [
        lambda: survival(*(curve(str(number), 1.0) for number in range(13))),
        lambda: charts.triangle(pl.concat([TRIANGLE, TRIANGLE]), "retention", "Months"),
    ],
)
def test_what_cannot_be_drawn_is_refused(draw):
    with pytest.raises(ValueError, match=r"choose 12|only once"):
        draw()


def test_long_curves_stay_small():
    days = pl.DataFrame({"duration_days": np.arange(1, 4000)})
    share = (-pl.col("duration_days") / 2000).exp()
    long = days.with_columns(
        group=pl.lit("all"), at_risk=900, survival=share, ci_lower=share, ci_upper=share
    )
    assert len(svg.inline(survival(long), "t", "a")) < 60_000


def test_a_heat_map_prints_shares_in_per_cent_and_leaves_unknown_cells_hatched():
    shares, differences = heat_map(CELLS, "share"), heat_map(CELLS, "difference", span=(-2, 2))
    assert {"25", "100", "Share, per cent"} <= set(words(shares))
    assert {"-0.5", "+1.0", "Difference"} <= set(words(differences))
    assert "nan" not in "".join(words(shares))
    assert "pattern" in svg.inline(shares, "t", "a")


CONES = {
    "all": np.eye(3),
    "no red": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
               [-0.003882, -0.048116, 1.051998]],
    "no green": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                 [-0.011820, 0.042940, 0.968881]],
    "no blue": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
                [0.004733, 0.691367, 0.303900]],
}  # fmt: skip


def linear(colour):
    values = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def contrast(one, other):
    dark, light = sorted(linear(colour) @ [0.2126, 0.7152, 0.0722] for colour in (one, other))
    return (light + 0.05) / (dark + 0.05)


def oklab(light):
    """Ottosson (2020)."""
    lms = np.array([[0.4122214708, 0.5363325363, 0.0514459929],
                    [0.2119034982, 0.6806995451, 0.1073969566],
                    [0.0883024619, 0.2817188376, 0.6299787005]])  # fmt: skip
    cones = lms @ np.clip(light, 0, 1)
    return np.array([[0.2104542553, 0.7936177850, -0.0040720468],
                     [1.9779984951, -2.4285922050, 0.4505937099],
                     [0.0259040371, 0.7827717662, -0.8086757660]]) @ np.cbrt(cones)  # fmt: skip


@pytest.mark.parametrize("cones", CONES)
def test_colours_differ_to_every_eye(cones):
    for one, other in itertools.combinations(drawing.PALETTE, 2):
        seen = [oklab(np.array(CONES[cones]) @ linear(colour)) for colour in (one, other)]
        assert np.linalg.norm(seen[0] - seen[1]) >= 0.1, (one, other)


def test_colours_stand_out_from_light_and_dark_pages():
    css = (layout.TEMPLATES / "report.css").read_text()
    papers = re.findall(r"--paper: (#\w{6})", css)
    assert len(papers) == 2
    for paper, colour in itertools.product(papers, (*drawing.PALETTE, drawing.GREY)):
        assert contrast(paper, colour) >= 3, (paper, colour)
