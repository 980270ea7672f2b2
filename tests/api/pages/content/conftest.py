"""What pages show is the same at both doors: these tests come through Flask's."""

from __future__ import annotations

import pytest


@pytest.fixture
def door() -> None:
    """Flask's door."""
