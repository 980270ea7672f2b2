"""Fixtures: Chromium, and a server with jobs of every kind that a page shows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.e2e.pages.stories import play
from tests.support.people.browsing import Visitor
from tests.support.processes.chromium import chromium
from tests.support.processes.server import Server, running


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium, for the tests of this folder: meanwhile, no other test may have an event loop."""
    with chromium() as started:
        yield started


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with six jobs, which no test changes; a test that changes one has its own."""
    with running(tmp_path_factory.mktemp("server")) as server:
        play(server)
        yield server


@pytest.fixture
def visitor(browser: Browser, server: Server) -> Iterator[Visitor]:
    """Somebody who may see everything."""
    made = Visitor(browser, server)
    yield made
    made.close()


@pytest.fixture
def stranger(browser: Browser, server: Server) -> Iterator[Visitor]:
    """Somebody who is not signed in."""
    made = Visitor(browser, server, token=None)
    yield made
    made.close()
