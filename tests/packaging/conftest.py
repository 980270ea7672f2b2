"""Fixtures: Milepost's wheel, installed beside another distribution that has an `api`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.processes.installation import Installation, build_wheel, neighbour


@pytest.fixture(scope="package")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Milepost's wheel, built from this checkout."""
    return build_wheel(Path(__file__).parents[2], tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="package")
def installation(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """An environment with the neighbour, and Milepost installed after it."""
    folder = tmp_path_factory.mktemp("installation")
    made = Installation(folder / "venv")
    made.install(neighbour(folder))
    made.install(wheel)
    return made
