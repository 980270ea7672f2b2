"""How often a test kills: a few times in `make test`, more often in the drills of `.ci/run`."""

from __future__ import annotations

import pytest


@pytest.fixture(
    params=[
        pytest.param(3, id="three kills"),
        pytest.param(20, id="twenty kills", marks=pytest.mark.survive),
    ]
)
def kills(request: pytest.FixtureRequest) -> int:
    """The number of kills at random moments."""
    number: int = request.param
    return number
