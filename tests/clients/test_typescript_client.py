"""The TypeScript types that openapi-typescript generates compile, and an example over them does."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import pytest

SOURCES = Path(__file__).with_name("typescript")


class Pin(NamedTuple):
    """A version of a package, and the SHA-512 of its archive."""

    version: str
    integrity: str


def pins() -> dict[str, Pin]:
    """Return the pinned packages by name."""
    lines = (SOURCES / "constraints.txt").read_text().splitlines()
    named = (line.split(" ") for line in lines if not line.startswith("#"))
    return {name: Pin(version, integrity) for name, version, integrity in named}


@pytest.fixture
def project(document: Path, tmp_path: Path) -> Path:
    """A folder with the example, its pinned packages and the generated types.

    Only a person's machine may lack npm.
    """
    if shutil.which("npm") is None and "CI" not in os.environ:
        pytest.skip("the TypeScript client needs npm")
    folder = tmp_path / "typescript"
    shutil.copytree(SOURCES, folder)
    install(folder)
    run(folder, "npx", "--no", "openapi-typescript", str(document), "--output", "milepost.d.ts")
    return folder


def install(folder: Path) -> None:
    """Install the pinned packages, and run nothing of them before their hashes are compared."""
    wanted: dict[str, Any] = json.loads((folder / "package.json").read_text())
    direct = {**wanted["dependencies"], **wanted["devDependencies"]}
    versions = {name: pin.version for name, pin in pins().items()}
    assert direct.items() <= versions.items()
    # npm refuses to override what the project itself asks for.
    wanted["overrides"] = {name: at for name, at in versions.items() if name not in direct}
    (folder / "package.json").write_text(json.dumps(wanted))
    run(folder, "npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
    installed = json.loads((folder / "node_modules" / ".package-lock.json").read_text())["packages"]
    assert {
        path.removeprefix("node_modules/"): Pin(package["version"], package["integrity"])
        for path, package in installed.items()
    } == pins()


def run(folder: Path, *command: str) -> None:
    """Run a command in the folder; fail with what it said."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_example_over_the_generated_types_compiles(project: Path) -> None:
    run(project, "npx", "--no", "tsc")


def test_the_pins_have_hashes_and_no_addresses() -> None:
    assert len(pins()) > 30
    assert all(pin.integrity.startswith("sha512-") for pin in pins().values())
    assert "://" not in (SOURCES / "constraints.txt").read_text()
    assert not (SOURCES / "package-lock.json").exists()
