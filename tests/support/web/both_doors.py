"""Fixtures for tests of requests: both doors, Flask's and the front's, and each store at one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import pytest

from domain.workflows.definition import Workflows
from tests.support.stores.deployment import Clock, Deployment, deployment
from tests.support.web.front import FrontDoor

DOORS: Final = ("flask", "front")
STORES_AT_DOORS: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "stores": (("memory", "flask"), ("sqlite", "front"), ("postgres", "front")),
    "databases": (("sqlite", "flask"), ("postgres", "front")),
}
"""The door at which requests for each store arrive. Neither door knows which store is behind it."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test at both doors, and on each store that it asks for."""
    for stores, pairs in STORES_AT_DOORS.items():
        if stores in metafunc.fixturenames:
            if "door" in metafunc.fixturenames:
                ids = ["-".join(pair) for pair in pairs]
                metafunc.parametrize((stores, "door"), pairs, indirect=True, ids=ids)
            else:
                metafunc.parametrize(stores, [store for store, _ in pairs], indirect=True)
            return
    if "door" in metafunc.fixturenames:
        metafunc.parametrize("door", DOORS, indirect=True)


@pytest.fixture
def stores(
    request: pytest.FixtureRequest, workflows: Workflows, clock: Clock
) -> Iterator[Deployment]:
    """A deployment on each store in turn."""
    yield from deployment(request.param, request, workflows, clock)


@pytest.fixture
def databases(
    request: pytest.FixtureRequest, workflows: Workflows, clock: Clock
) -> Iterator[Deployment]:
    """A deployment on each store in turn that outlives its process."""
    yield from deployment(request.param, request, workflows, clock)


@pytest.fixture
def door(request: pytest.FixtureRequest) -> FrontDoor | None:
    """Each door in turn."""
    if request.param == "flask":
        return None
    found: FrontDoor = request.getfixturevalue("front_door")
    return found
