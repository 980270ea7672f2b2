"""Every test of a request is run at both doors: Flask's, and the front's."""

from __future__ import annotations

import pytest

from tests.support.web.front import FrontDoor


@pytest.fixture(params=["flask", "front"])
def door(request: pytest.FixtureRequest) -> FrontDoor | None:
    """Each door in turn."""
    if request.param == "flask":
        return None
    found: FrontDoor = request.getfixturevalue("front_door")
    return found
