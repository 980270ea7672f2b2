"""Every page of a working day, at every size that the screenshots have."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from playwright.sync_api import Browser, Page

from tests.e2e.pages.screenshots.scenery import set_up
from tests.support.people.browsing import Visitor
from tests.support.processes.server import Server

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


def pages(browser: Browser, server: Server) -> Iterator[tuple[str, Page]]:
    """Yield each page under its name, open: of a server without jobs, then of a working day."""
    visitor, stranger = Visitor(browser, server), Visitor(browser, server, token=None)
    yield "no-job-yet", visitor.open("/jobs")
    yield "sign-in", stranger.open("/sign-in")
    set_up(server)
    for name, path in PAGES.items():
        yield name, visitor.open(path)
    for who in (visitor, stranger):
        who.close()


def sizes(page: Page) -> Iterator[tuple[str, int]]:
    """Show the page at each size in turn; yield the size's name and its width in pixels."""
    for size, (width, height) in SIZES.items():
        page.set_viewport_size({"width": width, "height": height})
        yield size, width
