"""Fixtures: a server for live pages. Their many jobs would fill the lists of other pages."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.processes.server import Server, running


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running server without jobs; each test has jobs of its own, and leaves it running."""
    with running(tmp_path_factory.mktemp("live")) as server:
        yield server
