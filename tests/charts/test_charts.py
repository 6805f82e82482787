"""Charts and tables: what a reader sees, read back from the SVG and the HTML."""

import hashlib
import itertools
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from bs4 import BeautifulSoup
from matplotlib.figure import Figure

from retention import charts, show
from retention.charts import drawing
from retention.words import amount
from retention_runner import layout

EVIL = "<script>alert(1)</script>"


def curve(group, rate, n=900):
    days = np.append(0, np.arange(1, 700, 3))
    survival = np.exp(-rate * days / 365)
    return pl.DataFrame(
        {
            "by": "plan",
            "group": group,
            "duration_days": days,
            "at_risk": (n * survival).astype(int),
            "events": 3,
            "survival": survival,
            "ci_lower": survival * 0.95,
            "ci_upper": survival * 0.95 + 0.05,
        }
    )


CURVES = pl.concat([curve("monthly", 1.1), curve("yearly", 0.4), curve(EVIL, 1.0)])
BY_CAUSE = CURVES.with_columns(pl.col("group").alias("cause"), at_risk=900).rename(
    {"survival": "incidence"}
)
HAZARDS = pl.DataFrame(
    {
        "term": ["first order in sale", "came by a friend", EVIL],
        "cause": ["voluntary", "payment failure", "any"],
        "period": ["all", "to day 90", "all"],
        "hazard_ratio": [1.42, 0.71, 0.93],
        "ci_lower": [1.21, 0.60, 0.85],
        "ci_upper": [1.66, 0.84, 1.02],
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
POOLED = pl.DataFrame(
    {
        "age": [0, 1, 2],
        "n_start": [3000, 2000, 1000],
        "retention": [1.0, 0.5, 0.25],
        "ci_lower": [1.0, 0.48, 0.2],
        "ci_upper": [1.0, 0.52, 0.3],
    }
)
SEGMENTS = pl.DataFrame(
    {
        "segment": ["Weekend families", "Tiny", EVIL],
        "churn": [0.31, None, 0.06],
        "lower": [0.28, None, 0.05],
        "upper": [0.34, None, 0.08],
        "n": ["1,204", "<10", "2,210"],
    }
)
POINTS = pl.DataFrame(
    {
        "x": np.sin(np.arange(3000)) + np.arange(3000) % 4 * 3,
        "y": np.cos(np.arange(3000) * 1.3) + np.arange(3000) % 4 // 2 * 3,
        "segment": [[None, "s1", "s2", "s13"][i % 4] for i in range(3000)],
        "name": [[None, "Families", "Quiet regulars", EVIL][i % 4] for i in range(3000)],
        "n": 750,
    }
)
NODES = pl.DataFrame(
    [
        (0, None, 900, 800, 0.0, 1.0, -1),
        (1, 0, 300, 0, 1.0, 6.0, 1),
        (2, 0, 500, 400, 1.0, 2.0, 0),
        (3, 2, 200, 0, 2.0, 9.0, 0),
        (4, 2, 200, 0, 2.0, 5.0, 0),
    ],
    schema=["node", "parent", "n", "n_at_death", "birth", "death", "group"],
    orient="row",
)
CHECKS = pl.DataFrame(
    [
        (segment, check, len(check) / 15)
        for segment in ("s1", "cluster 3")
        for check in ("other samples", "other ids", "distinct rows")
    ],
    schema=["segment", "check", "value"],
    orient="row",
)
PROFILES = pl.DataFrame(
    [
        (segment, trait, float(len(segment) - len(trait)) / 9)
        for segment in ("Families", "Quiet regulars", EVIL)
        for trait in ("orders per month", "average basket", "weekend share")
    ],
    schema=["segment", "trait", "difference"],
    orient="row",
)

DAYS = pl.DataFrame(
    {
        "day": pl.int_range(20_089, 20_189, eager=True),
        "events_of_day": [None, 0, 200, *[50] * 97],
        "lower": [None, *[25.0] * 99],
        "upper": [None, *[100.0] * 99],
        "odd": [False, True, True, *[False] * 97],
    }
)

USAGE = pl.DataFrame(
    {
        "usage": ["falling", "steady", "rising", "not known"],
        "n": [120, 840, None, 40],
        "share": [0.12, 0.84, None, 0.04],
        "ci_lower": [0.1, 0.81, None, 0.03],
        "ci_upper": [0.14, 0.86, None, 0.05],
        "by_chance": [0.02, None, None, None],
    }
)

WINDOWS = pl.DataFrame(
    [
        (days, error, n, share, share - 0.02, share + 0.02)
        for days in (7, 14, 30, 60, 90)
        for error, n, share in [
            ("wrongly gone", 1200 - days, 0.5 - days / 300),
            ("wrongly active", 300 + days, days / 300),
        ]
    ],
    schema=["after_days", "error", "n", "share", "ci_lower", "ci_upper"],
    orient="row",
)

BACKTEST = pl.DataFrame(
    [
        (landmark, model, 1_234, auc)
        for landmark in ("2024-10-03", "2024-11-02", "2024-12-02")
        for model, auc in [("ours", 0.73), ("recency", 0.66), ("null", 0.5), (EVIL, 0.72)]
    ],
    schema=["landmark", "model", "n", "auc"],
    orient="row",
)
TENTHS = pl.DataFrame(
    {
        "n": [500, 500, 500],
        "predicted": [0.05, 0.2, 0.6],
        "observed": [0.04, None, 0.7],
        "ci_lower": [0.03, None, 0.66],
        "ci_upper": [0.06, None, 0.74],
    }
)
SLOPES = pl.DataFrame(
    {
        "definition": ["bounded", EVIL],
        "age": [1, 3],
        "cohorts": [12, 9],
        "n": [3600, 2700],
        "slope": [0.002, -0.01],
        "ci_lower": [-0.001, -0.02],
        "ci_upper": [0.005, 0.0],
    }
)
LIFE = pl.DataFrame(
    {
        "age": [1, 2],
        "n_at_risk": [300, 200],
        "drop_off": [0.3, 0.1],
        "ci_lower": [0.25, 0.06],
        "ci_upper": [0.35, 0.15],
    }
)
COMPARED = pl.DataFrame(
    {
        "label": [EVIL, "pro, by month 3"],
        "n": [300, 200],
        "difference": [0.05, -0.05],
        "ci_lower": [0.01, -0.1],
        "ci_upper": [0.09, 0.0],
    }
)
REVENUE = pl.DataFrame(
    {
        "group": ["gross", "gross", "net", "net"],
        "age": [1, 2, 1, 2],
        "n_start": [300, 200, 300, 200],
        "retention": [0.9, 0.8, 1.2, 1.4],
        "ci_lower": [0.85, 0.7, 1.1, 1.2],
        "ci_upper": [0.95, 0.9, 1.3, 1.6],
    }
)
STAGES = pl.DataFrame(
    [
        (before, now, share)
        for before, shares in (("new", (0.25, 0.75)), ("active", (None, 1.0)), (EVIL, (0.0, None)))
        for now, share in zip(("active", EVIL), shares, strict=True)
    ],
    schema=["before", "lifecycle", "share"],
    orient="row",
)
READY = pl.DataFrame(
    {
        "intent": ["compare", EVIL],
        "n": [60, 30],
        "n_before": [50, 40],
        "share": [0.5, None],
        "ci_lower": [0.4, None],
        "ci_upper": [0.6, None],
    }
)
MARKS = pl.DataFrame(
    {
        "kind": ["nps", "csat"],
        "group": ["usage: falling", EVIL],
        "n": [50, 40],
        "score": [-35.0, 60.0],
        "ci_lower": [-50.0, 40.0],
        "ci_upper": [-20.0, 80.0],
    }
)
SIGNALS = pl.DataFrame({"signal": ["usage_ratio", EVIL], "spread": [0.9, 0.2]})

MOVES = pl.DataFrame(
    [
        ("s1", "s1", 900, "stayed"),
        ("s1", "s12", 120, "definition"),
        ("s1", "none", None, "customer"),
        ("none", "s12", 40, "customer"),
        ("none", "none", 80, "stayed"),
        (EVIL, EVIL, 77, "stayed"),
        (None, "s12", 30, "entered"),
        ("s1", None, 60, "left"),
    ],
    schema=["previous_segment", "segment", "n", "moved_by"],
    orient="row",
)


FORETOLD = pl.DataFrame(
    [
        (week, model, 500, None if week == 3 else 0.2 + week / 100, 0.18, 0.25, said)
        for week in range(1, 8)
        for model, said in [("ours", 0.21), (EVIL, 0.3 / week)]
    ],
    schema=["week", "model", "n", "actual", "ci_lower", "ci_upper", "predicted"],
    orient="row",
)
THINNING = pl.DataFrame(
    [
        (group, month, 900 - 50 * month, share, share - 0.02, share + 0.02)
        for group, rate in [("as seen", 0.05), ("model", 0.06)]
        for month in range(1, 12)
        for share in [(1 - rate) ** month]
    ],
    schema=["group", "month", "at_risk", "share", "ci_lower", "ci_upper"],
    orient="row",
)
PAIRS = pl.DataFrame(
    {
        "pair": ["families: bread → jam", EVIL],
        "lift": [1.8, 1.2],
        "lift_lower": [1.5, 1.1],
        "lift_upper": [2.2, 1.3],
        "n": [120, 900],
    }
)


def windows(table):
    return charts.curves(table, "after_days", "share", "n", group="error", evenly=True, mark=60)


def figures():
    return {
        "survival": charts.survival_curves(CURVES, "plan"),
        "incidence": charts.incidence(BY_CAUSE),
        "returns": charts.returns(curve("all", 0.4).rename({"survival": "returned"})),
        "hazards": charts.hazard_ratios(HAZARDS),
        "triangle": charts.retention_triangle(TRIANGLE),
        "pooled": charts.retention_curves(POOLED),
        "bars": charts.bars(SEGMENTS, "segment", "churn", "lower", "upper", n="n", percent=True),
        "map": charts.cluster_map(POINTS),
        "tree": charts.condensed_tree(NODES),
        "trust": charts.trust(CHECKS),
        "profiles": charts.profile_heatmap(PROFILES),
        "days": charts.days(DAYS, "events_of_day", marked="odd"),
        "windows": windows(WINDOWS),
        "usage": charts.usage_changes(USAGE),
        "left": charts.left_by_usage(USAGE),
        "backtest": charts.backtest(BACKTEST),
        "calibration": charts.calibration(TENTHS),
        "signals": charts.signals(SIGNALS),
        "migrations": charts.migrations(MOVES),
        "foretold": charts.weeks_foretold(FORETOLD),
        "thinning": charts.renewals(THINNING),
        "next": charts.next_products(PAIRS),
        "trends": charts.retention_trends(SLOPES),
        "life": charts.drop_off(LIFE),
        "compared": charts.drop_off_by_cohort(COMPARED),
        "revenue": charts.revenue_curves(REVENUE),
        "net": charts.revenue_triangle(TRIANGLE),
        "flows": charts.stage_flows(STAGES),
        "shares": charts.share_bars(READY, "intent"),
        "readiness": charts.readiness(READY),
        "scores": charts.survey_scores(MARKS),
    }


@cache
@cache
def shown():
    """Every chart, finished for the page."""
    return {
        name: show.figure(
            figure, title=f"Finding {name} {EVIL}", alt=f"In words {EVIL}", rows=HAZARDS
        ).data
        for name, figure in figures().items()
    }


def digest():
    return hashlib.sha256(str(shown()).encode()).hexdigest()


def words(figure):
    return re.findall(r"<text[^>]*>([^<]*)</text>", show.figure(figure, title="t", alt="a").data)


def test_every_chart_gives_a_figure_and_equal_bytes_in_every_process():
    assert all(isinstance(figure, Figure) for figure in figures().values())
    code = "from charts import test_charts as t; print(t.digest())"
    child = subprocess.run(
        [sys.executable, "-c", code],
        cwd=os.path.dirname(__file__),
        env=os.environ | {"PYTHONHASHSEED": "7", "PYTHONPATH": str(Path(__file__).parents[1])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert child.stdout.strip() == digest()


def test_charts_share_a_page_without_sharing_ids():
    page = BeautifulSoup("".join(shown().values()), "html.parser")
    ids = [tag["id"] for tag in page.find_all(id=True)]
    assert len(ids) > 20
    assert len(ids) == len(set(ids))
    used = re.findall(r'(?:url\(#|href="#)([^)"]+)', str(page))
    assert len(used) > 20
    assert set(used) <= set(ids)


def test_no_value_is_markup():
    html = "".join(shown().values()) + show.table(SEGMENTS, EVIL, names={"n": EVIL}).data
    assert html.count("&lt;script&gt;") > 20
    assert "<script" not in html


def test_text_takes_the_colour_of_the_page_and_nothing_points_outside():
    html = "".join(shown().values())
    assert "currentColor" in html
    assert show.TEXT not in html
    assert "http" not in html


@pytest.mark.parametrize("missing", ["title", "alt"])
def test_a_figure_without_words_is_refused(missing):
    figure = charts.retention_curves(POOLED)
    with pytest.raises(ValueError, match="alt text"):
        show.figure(figure, **{"title": "t", "alt": "a"} | {missing: " "})


def test_survival_shows_numbers_at_risk_and_a_dash_after_the_end():
    short = curve("short", 1.0).head(50)  # ends on day 148
    text = words(charts.survival_curves(pl.concat([short, curve("long", 0.4)]), "plan"))
    assert text.count("short") == text.count("long") == 2  # at the line and at its counts
    assert text[-11:-6] == ["900", "–", "–", "–", "short"]
    assert text[-6:-1] == ["900", "721", "580", "465", "long"]


def test_before_a_curve_begins_nobody_is_counted():
    late = curve("late", 1.0).tail(50)
    text = words(charts.survival_curves(pl.concat([late, curve("whole", 0.4)]), "plan"))
    assert text[text.index("Customers at risk") + 1] == "–"


def test_counts_that_all_lines_share_are_printed_once():
    text = words(charts.incidence(BY_CAUSE))
    assert text.count("monthly") == text.count("yearly") == 1  # at the line
    assert text[-6:] == ["Customers at risk", *["900"] * 4, "Share who have left"]


def test_only_the_rows_of_the_asked_by_are_drawn():
    other = CURVES.with_columns(by=pl.lit("country"), group=pl.lit("AT"))
    assert "AT" not in words(charts.survival_curves(pl.concat([CURVES, other]), "plan"))


def test_names_at_line_ends_never_overlap():
    heights = charts.drawing._apart([0.0, 0.01, 0.5, 0.99, 0.995, 1.0], gap=0.1, top=1.0)
    assert all(b - a >= 0.1 - 1e-9 for a, b in itertools.pairwise(heights))
    assert heights[0] >= 0
    assert heights[-1] <= 1
    assert heights[2] == 0.5


def test_what_is_not_observed_is_left_blank_never_zero():
    text = words(charts.retention_triangle(TRIANGLE))
    assert "0" not in [word for word in text if word not in "01234567"]
    assert text.count("100") == 8
    assert text.count("12") == 1
    assert "1997-01 (n 401)" in text
    assert "pattern" in show.figure(charts.retention_triangle(TRIANGLE), title="t", alt="a").data


def test_a_triangle_of_many_ages_prints_no_numbers_but_a_scale():
    long = pl.concat([TRIANGLE, TRIANGLE.with_columns(pl.col("age") + 8)])
    text = words(charts.retention_triangle(long))
    assert text.count("100") == 1  # on the scale


def test_a_hidden_bar_is_a_dash_beside_its_hidden_n():
    text = words(charts.bars(SEGMENTS, "segment", "churn", "lower", "upper", n="n", percent=True))
    assert "31.0%" in text
    assert "–" in text
    assert "0.0%" not in text
    assert "n <10" in BeautifulSoup(" ".join(text), "html.parser").get_text()


def test_odd_days_are_marked_and_hidden_ones_left_out():
    figure = charts.days(DAYS, "events_of_day", marked="odd")
    axes = figure.axes[0]
    usual, odd = (line.get_ydata() for line in axes.lines)
    assert sorted(odd) == [0, 200]
    assert np.isnan(usual).sum() == 1
    assert "Events (n 5,050)" in words(figure)


def test_what_chance_would_make_stands_on_the_bars_it_is_known_of():
    figure = charts.usage_changes(USAGE)
    [chance] = [line for line in figure.axes[0].lines if line.get_marker() == "D"]
    assert list(np.nan_to_num(chance.get_xdata(), nan=-1)) == [0.02, -1]
    text = words(figure)
    assert "◆ by chance alone, if nobody had changed" in text
    assert {"12.0%", "–", "n 120"} <= set(text)


def test_who_left_is_drawn_as_a_share_with_its_n():
    text = words(charts.left_by_usage(USAGE))
    assert {"share that left", "84.0%", "n 840"} <= set(text)


def test_windows_stand_evenly_apart_over_their_days_the_chosen_one_marked():
    axes = windows(WINDOWS).axes[0]
    marked = [line.get_xdata() for line in axes.lines if line.get_linestyle() == ":"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["7", "14", "30", "60", "90"]
    assert marked == [[3, 3]]
    text = words(windows(WINDOWS))
    assert text.count("wrongly gone") == 2
    assert {"1,193", "1,170", "1,110"} <= set(text)
    assert {"7", "1,193"} <= set(words(windows(WINDOWS.head(2))))  # one window alone


def test_weeks_say_who_foretold_them_and_of_how_many_and_hide_what_is_hidden():
    figure = charts.weeks_foretold(FORETOLD)
    assert "Per customer and week (n 500)" in words(figure)
    points = [line for line in figure.axes[0].lines if line.get_linestyle() == "None"]
    assert len(points) == 6  # of seven weeks one is hidden
    assert "as it came · ■ ours" in figure.axes[0].get_xlabel()


def test_hazard_ratios_print_the_interval_and_name_cause_and_period():
    text = words(charts.hazard_ratios(HAZARDS))
    assert "0.71 (0.60–0.84)" in text
    assert {"voluntary", "payment failure", "to day 90"} <= set(text)
    assert not {"any", "all"} & set(text)
    assert "came by a friend" in words(charts.hazard_ratios(HAZARDS.drop("cause", "period")))


def test_a_map_names_segments_and_counts_everybody():
    text = words(charts.cluster_map(POINTS))
    named = {"s1 Families, n 750", "s2 Quiet regulars, n 750", "Grey: in no segment, n 750"}
    assert named <= set(text)


def test_a_tree_names_each_cluster_once_with_its_size():
    text = words(charts.condensed_tree(NODES))
    assert sorted(word for word in text if word.startswith("n ")) == ["n 300", "n 500"]


@pytest.mark.parametrize(
    "draw",
    [
        lambda: charts.survival_curves(CURVES, "no such by"),
        lambda: charts.hazard_ratios(HAZARDS.head(0)),
        lambda: charts.retention_triangle(pl.concat([TRIANGLE, TRIANGLE])),
        lambda: charts.survival_curves(pl.concat([curve(f"{i}", 1) for i in range(13)]), "plan"),
    ],
)
def test_what_cannot_be_drawn_is_refused(draw):
    with pytest.raises(ValueError, match=r"row|once|choose"):
        draw()


def test_long_curves_and_dense_maps_stay_small():
    waves = np.sin(np.arange(1, 4001)) / 9 + 0.5  # one row a day for eleven years
    long = pl.DataFrame({"duration_days": range(1, 4001), "survival": waves})
    long = curve("long", 1).head(1).drop(long.columns).join(long, how="cross")
    html = show.figure(charts.survival_curves(long, "plan"), title="t", alt="a").data
    assert len(html) < 20_000
    assert len(shown()["map"]) < 80_000


def test_a_table_prints_numbers_for_readers():
    frame = pl.DataFrame(
        {
            "segment": ["a", "b"],
            "customers": ["1,234", "<10"],
            "cents": [1234567, -5],
            "share": [0.1234, None],
            "ratio": [0.034251, 1234.5],
            "vip": [True, False],
        }
    )
    page = BeautifulSoup(show.table(frame, "Segments", percent=["share"]).data, "html.parser")
    cells = [[cell.text for cell in row.find_all(["th", "td"])] for row in page.find_all("tr")]
    assert cells == [
        ["segment", "customers", "amount", "share", "ratio", "vip"],
        ["a", "1,234", "12,346", "12.3%", "0.0343", "yes"],
        ["b", "<10", "−0.05", "–", "1,234", "no"],
    ]
    assert page.caption.text == "Segments"
    assert [th["scope"] for th in page.find_all("th")] == ["col"] * 6 + ["row"] * 2
    assert [th.get("class") for th in page.thead.find_all("th")] == [
        None, ["n"], ["n"], ["n"], ["n"], None
    ]  # fmt: skip
    assert "– means" in page.text


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("value_at_risk_cents", "value_at_risk"),
        ("amount_cents_90d", "amount_90d"),
        ("cents_per_order_90d", "amount_per_order_90d"),
        ("recents", "recents"),
    ],
)
def test_cents_are_called_by_the_amount_they_are(name, said):
    assert amount(name) == said


def test_a_long_table_says_how_much_is_left_out():
    html = show.table(pl.DataFrame({"day": range(1200)}), "Days", limit=5).data
    assert html.count("<tr>") == 6
    assert "The first 5 of 1,200 rows." in html


def test_a_table_refuses_columns_it_does_not_have():
    with pytest.raises(ValueError, match="no column shre"):
        show.table(SEGMENTS, "Segments", percent=["shre"])


# Machado, Oliveira and Fernandes (2009), severity 1: no red, no green, no blue cones.
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
    for one, other in itertools.combinations(charts.drawing.PALETTE, 2):
        seen = [oklab(np.array(CONES[cones]) @ linear(colour)) for colour in (one, other)]
        assert np.linalg.norm(seen[0] - seen[1]) >= 0.1, (one, other)


def test_colours_stand_out_from_light_and_dark_pages():
    css = (layout.TEMPLATES / "report.css").read_text()
    papers = re.findall(r"--paper: (#\w{6})", css)
    assert len(papers) == 2
    for paper, colour in itertools.product(papers, (*charts.drawing.PALETTE, charts.drawing.GREY)):
        assert contrast(paper, colour) >= 3, (paper, colour)


def test_moves_say_how_many_each_place_holds_in_order_of_their_numbers():
    said = words(charts.migrations(MOVES))

    places = [text for text in said if text[-1].isdigit() or text.endswith("+")]
    escaped = "&lt;script&gt;ale… 77"
    left, right = ["s1 1,080+", escaped, "none 120", "entered 30"], ["s1 900", "s12 190"]
    assert places == [*left, *right, escaped, "none 80+", "left 60"]
    assert any("too few to be shown" in text for text in said)
    whole = words(charts.migrations(MOVES.drop_nulls("n")))
    assert not any("+" in text or "too few" in text for text in whole)


def test_a_segment_looks_the_same_whatever_others_there_are():
    looks = [drawing.of_segment(f"s{number}") for number in range(1, 13)]

    assert len({tuple(look.items()) for look in looks}) == 12
    assert looks[2]["color"] == looks[8]["color"] == drawing.PALETTE[2]
    assert looks[2]["linestyle"] != looks[8]["linestyle"]
    for other in ("none", "vip", "s0", "s1x", "", None):
        assert drawing.of_segment(other)["color"] == drawing.GREY
