"""The system's Chromium for tests marked `chromium`, through Playwright."""

from collections.abc import Iterator
from contextlib import contextmanager

import needs
import pytest
from playwright.sync_api import Browser, sync_playwright

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
