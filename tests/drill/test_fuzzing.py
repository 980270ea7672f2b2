"""A short run of random requests: no 500, and no answer that the document does not describe.

`.ci/run` has a longer one, on each database; `make drill ARGS="fuzz"` is the long run.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import pytest
from hypothesis import settings

from tests.drill.fuzzing.run import PHASES, fuzz
from tests.support.processes.server import Make


class Run(NamedTuple):
    """What is sent, and to a server on which databases."""

    kinds: tuple[str, ...]
    phases: tuple[str, ...]
    examples: int


SHORT: Final = Run(("postgres",), ("fuzzing", "stateful"), 6)
THOROUGH: Final = Run(("sqlite", "postgres"), PHASES, 30)
RUN: Final = THOROUGH if settings.get_current_profile_name() == "thorough" else SHORT


@pytest.mark.parametrize("kind", RUN.kinds)
def test_random_requests_get_documented_answers(
    kind: str, make_server: Make, request: pytest.FixtureRequest
) -> None:
    url = None if kind == "sqlite" else request.getfixturevalue("postgres_dsn")
    server = make_server(url)
    server.start()

    assert fuzz(server, RUN.examples, phases=RUN.phases) is None
