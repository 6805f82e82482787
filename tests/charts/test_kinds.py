"""Kinds of drawing that several questions use: maps, heat maps, trees, flows; read from the SVG."""

import re
from html import unescape

import numpy as np
import polars as pl
import pytest

from retention import charts
from retention.charts import drawing, svg

EVIL = "<script>alert(1)</script>"
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
        (2, 0, 500, None, 1.0, 2.0, 0),
        (3, 2, 200, 0, 2.0, 9.0, 0),
        (4, 2, 200, 0, 2.0, 5.0, 0),
    ],
    schema=["node", "parent", "n", "n_at_death", "birth", "death", "cluster"],
    orient="row",
)
CELLS = pl.DataFrame(
    [("s1", "orders", -0.5, 0.25), ("s1", EVIL, None, None), ("s2", "orders", 1.0, 1.0)],
    ["segment", "trait", "difference", "share"],
    orient="row",
)
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
ORDER = ["s1", "s12", EVIL, "none"]


def flow(moves: pl.DataFrame):
    hatched = ("moved_by", "definition", "drawn anew")
    return charts.flow(moves, "previous_segment", "segment", ORDER, hatched)


def heat_map(cells: pl.DataFrame, value: str, **how):
    return charts.heat_map(cells, "segment", "trait", value, **how)


def words(figure) -> list[str]:
    drawn = str(svg.inline(figure, "t", "a"))
    assert "<script" not in drawn
    return [unescape(text) for text in re.findall(r"<text[^>]*>([^<]*)</text>", drawn)]


@pytest.mark.parametrize(
    "draw",
    [
        lambda: charts.scatter(POINTS),
        lambda: charts.condensed_tree(NODES),
        lambda: heat_map(CELLS, "share"),
        lambda: flow(MOVES),
    ],
)
def test_equal_tables_give_equal_and_small_drawings(draw):
    one, other = (svg.inline(draw(), "t", "a") for _ in range(2))
    assert one == other
    assert len(one) < 80_000


@pytest.mark.parametrize(
    "draw",
    [
        lambda: charts.scatter(POINTS.head(0)),
        lambda: charts.condensed_tree(NODES.head(0)),
        lambda: flow(MOVES.head(0)),
        lambda: heat_map(pl.concat([CELLS, CELLS]), "share"),
    ],
)
def test_what_cannot_be_drawn_is_refused(draw):
    with pytest.raises(ValueError, match=r"row|once"):
        draw()


def test_a_map_names_segments_and_counts_everybody():
    named = {"s1 Families, n 750", "s2 Quiet regulars, n 750", "Grey: in no segment, n 750"}
    assert named <= set(words(charts.scatter(POINTS)))


def test_a_tree_names_each_cluster_once_with_its_size():
    text = words(charts.condensed_tree(NODES))
    assert sorted(word for word in text if word.startswith("n ")) == ["n 300", "n 500"]


def test_branches_stand_within_the_one_that_they_split_off_from():
    figure = charts.condensed_tree(NODES)
    spans = [(bar.get_xy()[:, 0].min(), bar.get_xy()[:, 0].max()) for bar in figure.axes[0].patches]
    for node, parent in NODES.select("node", "parent").drop_nulls().iter_rows():
        assert spans[parent][0] <= spans[node][0]
        assert spans[node][1] <= spans[parent][1]


def test_a_heat_map_prints_shares_in_per_cent_and_leaves_unknown_cells_hatched():
    shares, differences = heat_map(CELLS, "share"), heat_map(CELLS, "difference", span=(-2, 2))
    assert {"25", "100", "Share, per cent"} <= set(words(shares))
    assert {"-0.5", "+1.0", "Difference"} <= set(words(differences))
    assert "nan" not in "".join(words(shares))
    assert "pattern" in svg.inline(shares, "t", "a")


def test_moves_say_how_many_each_place_holds_in_the_given_order():
    said = words(flow(MOVES))

    places = [text for text in said if text[-1].isdigit() or text.endswith("+")]
    cut = "<script>ale… 77"
    left, right = ["s1 1,080+", cut, "none 120", "entered 30"], ["s1 900", "s12 190"]
    assert places == [*left, *right, cut, "none 80+", "left 60"]
    assert any("too few to be shown" in text for text in said)
    assert "Pale: stayed. Strong: moved. Hatched: drawn anew." in said
    whole = words(flow(MOVES.drop_nulls("n")))
    assert not any("+" in text or "too few" in text for text in whole)


def test_places_that_are_no_segments_have_colours_of_their_own():
    stages = pl.DataFrame({"before": ["new", "active"], "now": ["active", "active"], "n": [9, 7]})
    bands = charts.flow(stages, "before", "now", ["new", "active"]).axes[0].patches
    colours = {tuple(band.get_facecolor()[:3]) for band in bands}
    assert len(colours) == 2
    assert "Pale: stayed. Strong: moved." in words(
        charts.flow(stages, "before", "now", ["new", "active"])
    )


def test_a_segment_looks_the_same_whatever_others_there_are():
    looks = [drawing.of_segment(f"s{number}") for number in range(1, 13)]

    assert len({tuple(look.items()) for look in looks}) == 12
    assert looks[2]["color"] == looks[8]["color"] == drawing.PALETTE[2]
    assert looks[2]["linestyle"] != looks[8]["linestyle"]
    for other in ("none", "vip", "s0", "s1x", "", None):
        assert drawing.of_segment(other)["color"] == drawing.GREY
