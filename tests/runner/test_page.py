"""The page of a notebook: its bytes, its words, and what a browser makes of it."""

import copy
import re
from functools import cache

import browser
import polars as pl
import pytest
from bs4 import BeautifulSoup
from charts import test_charts
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from retention import exhibit
from retention_runner import layout, page

EVIL = test_charts.EVIL
FINDING = '<p class="finding">Half of the monthly customers have left by day 231.</p>'
WIDE = pl.DataFrame({f"a_rather_long_column_{i}": [1234567.0, None] for i in range(12)})


def html(text):
    return new_output("display_data", {"text/html": text, "text/plain": "<HTML object at 0x7f1>"})


def code(source, *outputs, tags=()):
    return new_code_cell(source, outputs=list(outputs), metadata={"tags": list(tags)})


def sample(part: int | None = 0):
    """A notebook with every other chart or none, a wide table, text, and data that would like to be
    markup: all charts on one page would be more than a page may hold."""
    shown = {} if part is None else dict(list(test_charts.shown().items())[part::2])
    return new_notebook(
        cells=[
            new_markdown_cell(f"# How long do customers stay?\n\nOne curve per plan. {EVIL}"),
            code('refresh = "cdnow"', tags=["parameters"]),
            code('refresh = "cdnow/1998-06-30"', tags=["injected-parameters"]),
            code("from retention import charts, findings"),
            code("findings.say(...)  # <b>", html(FINDING)),
            new_markdown_cell("## Who is in?\n\n| a | b |\n|---|---|\n| 1 | 2 |"),
            code("show.table(...)", html(exhibit.rows(WIDE, "Wide"))),
            code(
                "print(...)",
                new_output("stream", name="stdout", text=f"\x1b[31mread 5 rows\x1b[0m {EVIL}\n"),
                new_output("stream", name="stderr", text="a warning"),
                new_output("execute_result", {"text/plain": f"<object at 0x7f1a> {EVIL}"}),
                new_output(
                    "display_data", {"text/markdown": f"{EVIL}\n\n[x](javascript:alert(1))"}
                ),
            ),
            new_markdown_cell("## What do the charts say?"),
            *(code(f"charts.{name}(...)", html(text)) for name, text in shown.items()),
            new_markdown_cell(f"## Limits & {EVIL}"),
            code("write_table(curves)"),
        ]
    )


@cache
def rendered(part: int | None = 0):
    return render(sample(part))


def render(notebook):
    return page.render(
        notebook,
        title=f"CDNOW, 1998-06-30 {EVIL}",
        facts={"Data up to": "1998-06-30", "Data": "9f" * 32, "To reproduce": "make refresh"},
        parameters={"refresh": "cdnow/1998-06-30", "names": {"s3": EVIL}},
        links=[("index.html", "Summary"), ("00_data.html", f"Is the data good? {EVIL}")],
        segments=[(f"95_segment-s{place}.html", f"Segment {place} {EVIL}") for place in range(50)],
    )


def empty():
    return page.render(
        new_notebook(cells=[new_markdown_cell("# Empty?")]), title="t", facts={}, parameters={}
    )


@pytest.mark.parametrize("part", [0, 1])
def test_a_page_of_charts_has_no_problems_and_is_small(part):
    assert page.problems(rendered(part)) == []
    assert len(rendered(part).encode()) < 300_000
    assert len(empty().encode()) < 15_000


def test_what_varies_between_runs_does_not_reach_the_page():
    one, other = sample(), sample()
    other.metadata["papermill"] = {"start_time": "2026-01-01"}
    for cell in other.cells:
        cell["id"] = "random" + cell["id"]
        cell.metadata["papermill"] = cell.metadata["execution"] = {"duration": "1.5"}
        for output in cell.get("outputs", []):
            if output.get("name") == "stderr":
                output.text = "another warning"
            for kind, text in output.get("data", {}).items():
                output.data[kind] = text.replace(" at 0x7f1", " at 0x8e2")
    assert one != other
    before = copy.deepcopy(other)
    assert render(one) == render(other)
    assert other == before


def test_nothing_from_data_is_markup():
    text = rendered()
    assert text.count("&lt;script&gt;") > 30
    assert "<script" not in text
    assert 'href="javascript:' not in text


def test_the_page_has_its_parts_in_order():
    soup = BeautifulSoup(rendered(), "html.parser")
    assert soup.html["lang"] == "en"
    assert [h1.text for h1 in soup.find_all("h1")] == ["How long do customers stay?"]
    assert soup.find(class_="skip")["href"] == "#main"
    assert soup.main["id"] == "main"
    contents = soup.find("nav", attrs={"aria-label": "Contents"}).find_all("a")
    assert [a.text for a in contents] == [
        "Who is in?", "What do the charts say?", f"Limits & {EVIL}"
    ]  # fmt: skip
    assert all(soup.find(id=a["href"][1:]).name == "h2" for a in contents)
    pages = soup.find("nav", attrs={"aria-label": "Pages"})
    assert pages.a["href"] == "index.html"
    segments = pages.details.details
    assert segments.summary.text == "Segments (50)"
    assert [a.text for a in segments.find_all("a")] == [f"Segment {i} {EVIL}" for i in range(50)]
    facts = [dd.text for dd in soup.footer.find_all("dd")]
    assert facts[0] == "1998-06-30"
    assert facts[-2] == "cdnow/1998-06-30"
    assert soup.main.find(class_="finding")
    assert "a warning" not in soup.text


def test_there_are_no_folds_for_what_is_not_there():
    assert "<nav" not in empty()
    only = layout.page(title="t", body="<h1>t</h1>", links=[("a.html", "A")])
    assert "Segments" not in only
    assert "<nav" in layout.page(title="t", body="<h1>t</h1>", segments=[("a.html", "A")])


def test_all_code_is_folded_and_cells_that_show_nothing_add_no_fold():
    soup = BeautifulSoup(rendered(), "html.parser")
    folds = [fold.pre.text for fold in soup.find_all("details", class_="code")]
    assert folds[0] == "from retention import charts, findings\n\nfindings.say(...)  # <b>\n"
    assert folds[-1] == "write_table(curves)\n"
    assert len(folds) == 3 + len(list(test_charts.shown())[::2]) + 1
    assert not any('refresh = "cdnow' in fold for fold in folds)
    assert not any(fold.has_attr("open") for fold in soup.find_all("details"))


@pytest.mark.parametrize(
    ("planted", "found"),
    [
        ('<img alt="x" src="https://example.org/x.png">', "external address"),
        ('<img alt="x" src="//example.org/x.png">', "external address"),
        ('<a href="http://example.org">x</a>', "external address"),
        ('<a href="javascript:alert(1)">x</a>', "external address"),
        ("<script>1</script>", "script: is not allowed"),
        ("<iframe></iframe>", "iframe: is not allowed"),
        ("<h1>Another</h1>", "2 h1"),
        ('<img src="data:image/png;base64,AA">', "img: has no text alternative"),
        ('<img alt="No description has been provided for this image">', "empty description"),
        ("<svg></svg>", "svg: has no role"),
        ('<svg role="img" aria-labelledby="nowhere"></svg>', "svg: has no role"),
        ("<figure></figure>", "figure: has neither"),
        ('<p id="main">x</p>', "id main is given 2 times"),
        ("x" * 300_000, "more than 300,000"),
    ],
)
def test_each_planted_problem_is_found(planted, found):
    problems = page.problems(empty().replace("</main>", planted + "</main>"))
    assert len(problems) == 1
    assert found in problems[0]


@pytest.mark.parametrize(
    ("part", "found"),
    [
        (' lang="en"', "lang"),
        ("<title>t</title>", "title"),
        (r"<meta http-equiv[^>]*>", "Content-Security-Policy"),
        (r"<h1>.*</h1>", "0 h1"),
    ],
)
def test_each_missing_part_is_found(part, found):
    problems = page.problems(re.sub(part, "", empty()))
    assert len(problems) == 1
    assert found in problems[0]


@pytest.mark.chromium
@pytest.mark.parametrize(("width", "scheme"), browser.SETTINGS)
@pytest.mark.parametrize("part", [0, 1])
def test_a_browser_finds_nothing_wrong(tmp_path, part, width, scheme):
    file = tmp_path / "page.html"
    file.write_text(rendered(part), encoding="utf-8")
    with browser.chromium() as chromium:
        tab = browser.require_sound(chromium, file, width, scheme)
        ends = "all => all.map(caption => caption.getBoundingClientRect().right)"
        assert 0 < max(tab.locator("caption").evaluate_all(ends)) <= width  # of a wide table too
        letters = tab.locator("svg text").evaluate_all(
            "all => all.map(text => text.getBoundingClientRect())"
            ".map(box => Math.min(box.width, box.height) ? box.height : 99)"
        )
        assert len(letters) > 20
        assert min(letters) >= 9 * 1.1  # a line of letters of 9 pixels


@pytest.mark.chromium
def test_the_policy_stops_what_would_leave_the_page(tmp_path):
    file = tmp_path / "page.html"
    planted = '<img src="http://127.0.0.1:9/x.png"><script>document.title = "run"</script></main>'
    file.write_text(empty().replace("</main>", planted), encoding="utf-8")
    with browser.chromium() as chromium:
        tab, _, complaints = browser.opened(chromium, file, 360, "light")
        assert tab.title() == "t"
        assert len(complaints) == 2
        assert all("Content Security Policy" in complaint for complaint in complaints)
