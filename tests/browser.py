"""The system's Chromium for tests marked `chromium`, through Playwright."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import needs
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

SETTINGS = [  # width of the window in pixels, and colours
    (360, "dark"),
    (1280, "light"),
    pytest.param(360, "light", marks=pytest.mark.slow),
    pytest.param(1280, "dark", marks=pytest.mark.slow),
]
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextmanager
def chromium() -> Iterator[Browser]:
    """A headless Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=needs.chromium(), args=[*QUIET])
        try:
            yield browser
        finally:
            browser.close()


def opened(browser: Browser, file: Path, width: int, scheme: str, **context):
    """A tab with the file, all details open, and what it asked for and complained about."""
    size = {"width": width, "height": 800}
    tab = browser.new_context(viewport=size, color_scheme=scheme, **context).new_page()
    asked, complaints = [], []
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("console", lambda message: complaints.append(message.text))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.goto(file.as_uri())
    tab.locator("details").evaluate_all("all => all.forEach(details => details.open = true)")
    return tab, [url for url in asked if not url.startswith("data:")], complaints


def require_sound(browser: Browser, file: Path, width: int, scheme: str) -> Page:
    """The page asks for nothing else, fits the window, and axe finds nothing wrong with it."""
    from axe_playwright_python.sync_playwright import Axe

    # the policy that keeps scripts out would keep axe out too
    tab, *_ = opened(browser, file, width, scheme, bypass_csp=True)
    assert Axe().run(tab).response["violations"] == []
    tab, asked, complaints = opened(browser, file, width, scheme)
    assert asked == [file.as_uri()]
    assert complaints == []
    assert tab.evaluate("document.documentElement.scrollWidth") == width
    return tab
