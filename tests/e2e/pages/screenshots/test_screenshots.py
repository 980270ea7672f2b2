"""Every page of the screenshots fits every size; `keep.py` makes the pictures."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.e2e.pages.screenshots.drawing import pages, sizes
from tests.e2e.pages.screenshots.scenery import set_up
from tests.support.processes.server import Make, Server


@pytest.fixture(scope="module")
def scenery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server on a working day."""
    server = Server(tmp_path_factory.mktemp("scenery")).start()
    set_up(server)
    yield server
    server.kill()


def test_every_page_fits_every_size(browser: Browser, scenery: Server, make_server: Make) -> None:
    """This holds for both colour schemes: the dark one only gives the colours other values."""
    for name, page in pages(browser, scenery, make_server().start()):
        for size, width in sizes(page):
            assert page.evaluate("document.documentElement.scrollWidth") == width, (name, size)
        page.close()
