"""Fixtures: a server for commands that speak to one."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy

import pytest

from tests.support.processes.server import Server, running


@pytest.fixture(scope="package")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server for all tests that do not end it: to start one takes 1.3 s of CPU."""
    with running(tmp_path_factory.mktemp("shared-server")) as server:
        yield server


@pytest.fixture
def server(shared_server: Server) -> Server:
    """The shared server, with variables of this test's own for the commands."""
    ours = copy(shared_server)
    ours.env = {**shared_server.env}
    return ours
