"""The index of published refreshes."""

import json

import browser
import pytest
from bs4 import BeautifulSoup
from runner.test_page import EVIL

from retention_runner import index, page

STALE = {
    "snapshot_date": "2026-11-21",
    "since": "2026-11-22T04:10:00+01:00",
    "why": ["20_survival: a cell failed (KeyError)."],
}
BANNER = (
    "Stale since 22 November 2026, 03:10 UTC. The refresh for 2026-11-21 failed: "
    "20_survival: a cell failed (KeyError). Shown is the last good one, with data up to 2026-11-20."
)


def publish(reports, book, refresh, /, **more):
    folder = reports / book / refresh
    folder.mkdir(parents=True)
    manifest = {
        "title": f"The {book}",
        "book": book,
        "refresh": refresh,
        "snapshot_date": refresh[:10],
        "pages": [{"file": "20 survival.html", "title": "How long do customers stay?"}],
    }
    (folder / "manifest.json").write_text(json.dumps(manifest | more), encoding="utf-8")


def test_newest_refresh_first_and_repeats_in_order(tmp_path):
    for refresh in ("1998-06-30-r2", "1998-03-31", "1998-06-30-r10", "1998-06-30"):
        publish(tmp_path, "cdnow", refresh)
    links = BeautifulSoup(index.index(tmp_path), "html.parser").main.find_all("a")
    assert [link["href"] for link in links] == [
        f"cdnow/{refresh}/20%20survival.html"
        for refresh in ("1998-06-30-r10", "1998-06-30-r2", "1998-06-30", "1998-03-31")
    ]


def test_every_book_is_listed_with_its_label_and_headline(tmp_path):
    publish(tmp_path, "shop", "2025-06-30", label="simulated", headline="Half are gone.")
    publish(tmp_path, "cdnow", "1998-06-30", label=None)
    html = index.index(tmp_path)
    soup = BeautifulSoup(html, "html.parser")
    assert [h2.text for h2 in soup.find_all("h2")] == ["The cdnow", "The shop simulated"]
    assert soup.find(class_="finding").text == "Half are gone."
    assert page.problems(html) == []


def test_an_empty_index_says_what_to_run(tmp_path):
    html = index.index(tmp_path / "none")
    assert "make refresh" in html
    assert page.problems(html) == []


def main(reports):
    html = index.index(reports)
    assert page.problems(html) == []
    return BeautifulSoup(html, "html.parser").main


def mark(reports, book, stale):
    (reports / book / "stale.json").write_text(json.dumps(stale), encoding="utf-8")


def test_a_stale_book_says_since_when_and_why(tmp_path):
    publish(tmp_path, "cdnow", "1998-06-30")
    publish(tmp_path, "shop", "2026-11-20")
    mark(tmp_path, "shop", STALE)
    banners = main(tmp_path).find_all(role="status")
    assert [banner.text for banner in banners] == [BANNER]
    assert banners[0].find_previous("h2").text == "The shop"


@pytest.mark.parametrize(
    ("why", "said"),
    [
        ([], "failed. Shown"),
        (["a", "b", "c", "d", "e"], "failed: a; b; c; 2 more. Shown"),
        ([EVIL], f"failed: {EVIL}. Shown"),
    ],
)
def test_several_reasons_are_one_sentence(tmp_path, why, said):
    publish(tmp_path, "shop", "2026-11-20")
    mark(tmp_path, "shop", STALE | {"why": why})
    assert said in main(tmp_path).find(role="status").text


@pytest.mark.parametrize(
    "more", [{"title": None}, {"refresh": "newest"}, {"pages": [1]}, {"changed": "data"}]
)
def test_what_is_no_manifest_is_passed_over(tmp_path, more):
    publish(tmp_path, "shop", "2025-06-30")
    publish(tmp_path, "shop", "2025-09-30", **more)
    assert [link["href"] for link in main(tmp_path).find_all("a")] == [
        "shop/2025-06-30/20%20survival.html"
    ]


@pytest.mark.parametrize("held", [b"{", b"[]", b"\xff", None])
def test_what_cannot_be_read_is_passed_over(tmp_path, held):
    folder = tmp_path / "shop" / "2025-06-30"
    folder.mkdir(parents=True)
    if held is None:
        (folder / "manifest.json").mkdir()
    else:
        (folder / "manifest.json").write_bytes(held)
    mark(tmp_path, "shop", STALE)
    assert "Nothing has been published yet" in main(tmp_path).text


def test_a_revision_says_what_changed_since_the_one_before(tmp_path):
    publish(tmp_path, "shop", "2025-06-30")
    for refresh in ("2025-06-30-r2", "2025-06-30-r11"):
        publish(tmp_path, "shop", refresh, changed=["parameters of 20_survival", "data"])
    shown = main(tmp_path)
    said = "hanged since the revision before: parameters of 20_survival, data"
    assert shown.find(class_="note").text == f"Data up to 2025-06-30. C{said}."
    assert [" ".join(item.text.split()) for item in shown.details.find_all("li")] == [
        f"2025-06-30-r2 (c{said}): How long do customers stay?",
        "2025-06-30: How long do customers stay?",
    ]


def with_segments(count):
    notebooks = [
        {"file": "index.html", "title": "Summary"},
        {"file": "20_survival.html", "title": "How long do customers stay?"},
    ]
    return notebooks + [
        {"file": f"95_segment-s{place}.html", "title": f"Segment {place} {EVIL}", "segment": True}
        for place in range(count)
    ]


def test_segments_are_folded_and_only_those_of_the_newest_are_listed(tmp_path):
    for refresh in ("2025-03-31", "2025-06-30"):
        publish(tmp_path, "shop", refresh, pages=with_segments(50))
    shown = main(tmp_path)
    segments, earlier = shown.find_all("details")
    assert segments.summary.text == "Segments (50)"
    assert [link["href"] for link in segments.find_all("a")] == [
        f"shop/2025-06-30/95_segment-s{place}.html" for place in range(50)
    ]
    assert [link["href"] for link in earlier.find_all("a")] == [
        "shop/2025-03-31/index.html",
        "shop/2025-03-31/20_survival.html",
    ]
    assert [link.text for link in shown.find("ul").find_all("a")] == [
        "Summary", "How long do customers stay?"
    ]  # fmt: skip


@pytest.mark.chromium
@pytest.mark.parametrize(("width", "scheme"), browser.SETTINGS)
def test_a_browser_finds_nothing_wrong(tmp_path, width, scheme):
    for refresh in ("2026-11-19", "2026-11-20", "2026-11-20-r2"):
        publish(tmp_path, "shop", refresh, pages=with_segments(12), changed=["data"])
    mark(tmp_path, "shop", STALE)
    file = tmp_path / "index.html"
    file.write_text(index.index(tmp_path), encoding="utf-8")
    with browser.chromium() as chromium:
        browser.require_sound(chromium, file, width, scheme)
