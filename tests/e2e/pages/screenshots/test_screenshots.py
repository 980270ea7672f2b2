"""Every page as a picture, in both colour schemes and three sizes, in `build/screenshots`.

`python -m tests.e2e.pages.screenshots.keep` keeps them in `docs/screenshots`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, Literal

import pytest
from playwright.sync_api import Browser

from tests.e2e.pages.screenshots.scenery import PICTURES, set_up
from tests.support.people.browsing import Visitor
from tests.support.processes.server import Make, Server

SCHEMES: Final[Sequence[Literal["light", "dark"]]] = ("light", "dark")
SIZES: Final = {"phone": (360, 740), "tablet": (820, 1100), "wide": (1440, 900)}
PAGES: Final = {
    "jobs": "/jobs",
    "search": "/jobs?q=ada",
    "nothing-found": "/jobs?q=vm-1",
    "job": "/jobs/vm-4820",
    "job-failed": "/jobs/vm-4817",
    "job-retried": "/jobs/vm-4818",
    "job-in-the-past": "/jobs/vm-4818?version=4",
    "agent": "/agents/db-primary",
    "embedded": "/embed/jobs/vm-4820",
    "error": "/jobs/vm-1",
}


@pytest.fixture(scope="module")
def scenery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server on a working day."""
    server = Server(tmp_path_factory.mktemp("scenery")).start()
    set_up(server)
    yield server
    server.kill()


def test_every_page_fits_and_becomes_a_picture(
    browser: Browser, scenery: Server, make_server: Make
) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    empty = make_server().start()
    visitor = Visitor(browser, scenery, reduced_motion="reduce")
    first, stranger = Visitor(browser, empty), Visitor(browser, empty, token=None)
    places = [
        *((name, visitor, path) for name, path in PAGES.items()),
        ("no-job-yet", first, "/jobs"),
        ("sign-in", stranger, "/sign-in"),
    ]
    for name, who, path in places:
        page = who.open(path)
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            for size, (width, height) in SIZES.items():
                page.set_viewport_size({"width": width, "height": height})
                assert page.evaluate("document.documentElement.scrollWidth") == width, (name, size)
                page.screenshot(path=PICTURES / f"{name}-{size}-{scheme}.png")
        page.close()
    for who in (visitor, first, stranger):
        who.close()
