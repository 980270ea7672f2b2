"""Fixtures: somebody at a terminal beside a database."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.people.shell import Shell, beside
from tests.support.stores.deployment import Deployment


@pytest.fixture
def shell(databases: Deployment, tmp_path: Path) -> Shell:
    """A shell beside the site on each database."""
    return beside(databases, tmp_path)


@pytest.fixture
def empty(tmp_path: Path) -> Shell:
    """A shell with nothing but a home."""
    return Shell(MILEPOST_HOME=str(tmp_path / "home"))
