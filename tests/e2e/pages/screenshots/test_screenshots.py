"""Every page of the screenshots fits every size; `keep.py` makes the pictures."""

from __future__ import annotations

from playwright.sync_api import Browser

from tests.e2e.pages.screenshots.drawing import pages, sizes
from tests.support.processes.server import Make


def test_every_page_fits_every_size(browser: Browser, make_server: Make) -> None:
    """This holds for both colour schemes: the dark one only gives the colours other values."""
    for name, page in pages(browser, make_server().start()):
        for size, width in sizes(page):
            assert page.evaluate("document.documentElement.scrollWidth") == width, (name, size)
        page.close()
