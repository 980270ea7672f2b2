"""The TypeScript types that openapi-typescript generates compile, and an example over them does."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.processes import npm

SOURCES = Path(__file__).with_name("typescript")


@pytest.fixture
def project(document: Path, tmp_path: Path) -> Path:
    """A folder with the example, its pinned packages and the generated types."""
    folder = npm.project(SOURCES, tmp_path / "typescript")
    generates = ("node_modules/.bin/openapi-typescript", str(document), "--output", "milepost.d.ts")
    npm.run(folder, *generates)
    return folder


def test_an_example_over_the_generated_types_compiles(project: Path) -> None:
    npm.run(project, "node_modules/.bin/tsc")


def test_the_pins_have_hashes_and_no_addresses() -> None:
    assert len(npm.pins(SOURCES)) > 30
    npm.assert_pinned(SOURCES)
