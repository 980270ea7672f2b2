"""The TypeScript types that openapi-typescript generates compile, and an example over them does."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

SOURCES = Path(__file__).with_name("typescript")
Compile = Callable[[], str]


@pytest.fixture
def project(document: Path, tmp_path: Path) -> Path:
    """A folder with the example, its pinned packages and the generated types.

    Only a person's machine may lack npm.
    """
    if shutil.which("npm") is None and "CI" not in os.environ:
        pytest.skip("the TypeScript client needs npm")
    folder = tmp_path / "typescript"
    shutil.copytree(SOURCES, folder)
    run(folder, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
    run(folder, "npx", "--no", "openapi-typescript", str(document), "--output", "milepost.d.ts")
    return folder


def run(folder: Path, *command: str) -> None:
    """Run a command in the folder; fail with what it said."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_example_over_the_generated_types_compiles(project: Path) -> None:
    run(project, "npx", "--no", "tsc")


def test_the_pins_have_hashes_and_no_addresses() -> None:
    lock = (SOURCES / "package-lock.json").read_text()

    assert lock.count('"integrity": "sha512-') > 30
    assert '"resolved"' not in lock
