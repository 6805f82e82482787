"""The index of published refreshes."""

import json

from bs4 import BeautifulSoup

from retention.pages import page, site


def publish(reports, book, refresh, **more):
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
    links = BeautifulSoup(site.index(tmp_path), "html.parser").main.find_all("a")
    assert [link["href"] for link in links] == [
        f"cdnow/{refresh}/20%20survival.html"
        for refresh in ("1998-06-30-r10", "1998-06-30-r2", "1998-06-30", "1998-03-31")
    ]


def test_every_book_is_listed_with_its_label_and_headline(tmp_path):
    publish(tmp_path, "shop", "2025-06-30", label="simulated", headline="Half are gone.")
    publish(tmp_path, "cdnow", "1998-06-30", label=None)
    html = site.index(tmp_path)
    soup = BeautifulSoup(html, "html.parser")
    assert [h2.text for h2 in soup.find_all("h2")] == ["The cdnow", "The shop simulated"]
    assert soup.find(class_="finding").text == "Half are gone."
    assert page.problems(html) == []


def test_names_are_escaped(tmp_path):
    publish(tmp_path, "shop", "2025-06-30", title="<script>1</script>", headline="<b>")
    assert page.problems(site.index(tmp_path)) == []
    assert "&lt;script&gt;" in site.index(tmp_path)


def test_an_empty_index_says_what_to_run(tmp_path):
    html = site.index(tmp_path / "none")
    assert "make refresh" in html
    assert page.problems(html) == []
