"""Fixtures: the OpenAPI document as a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.stores.deployment import Deployment
from tests.support.web.site import Site


@pytest.fixture
def document(memory: Deployment, tmp_path: Path) -> Path:
    """The document as it is served."""
    path = tmp_path / "openapi.json"
    path.write_bytes(Site(memory).client.get("/api/openapi.json").data)
    return path
