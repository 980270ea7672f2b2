"""Fixtures: a browser, a server, and somebody who looks at its pages."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.support.browsing import Visitor, chromium
from tests.support.server import Server


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, for the tests of a file: while it runs, no other test may have an event loop."""
    with chromium() as started:
        yield started


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running server for all tests of a process. Each test has jobs of its own."""
    made = Server(tmp_path_factory.mktemp("server")).start()
    yield made
    made.kill()


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
