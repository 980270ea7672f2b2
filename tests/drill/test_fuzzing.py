"""A short run of random requests: no 500, and no answer that the document does not describe.

`make drill ARGS="fuzz"` is the long run.
"""

from __future__ import annotations

import pytest

from tests.drill.fuzzing.run import fuzz
from tests.support.processes.server import Make


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_random_requests_get_documented_answers(
    kind: str, make_server: Make, request: pytest.FixtureRequest
) -> None:
    url = None if kind == "sqlite" else request.getfixturevalue("postgres_dsn")
    server = make_server(url)
    server.start()

    assert fuzz(server, examples=6) is None
