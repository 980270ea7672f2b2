"""Packages of npm for tests, pinned by their hashes."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

from tests.support.processes.lacking import lacking


class Pin(NamedTuple):
    """A version of a package, and the SHA-512 of its archive."""

    version: str
    integrity: str


def pins(sources: Path) -> dict[str, Pin]:
    """Return the pinned packages of a folder by name."""
    lines = (sources / "constraints.txt").read_text().splitlines()
    named = (line.split(" ") for line in lines if not line.startswith("#"))
    return {name: Pin(version, integrity) for name, version, integrity in named}


def project(sources: Path, folder: Path) -> Path:
    """Copy a folder of sources, and install its pinned packages into the copy.

    Nothing of them runs before their hashes are compared. Only a person's machine may lack npm.
    """
    if shutil.which("npm") is None:
        lacking("npm is not installed")
    shutil.copytree(sources, folder)
    wanted: dict[str, Any] = json.loads((folder / "package.json").read_text())
    direct = {**wanted["dependencies"], **wanted["devDependencies"]}
    versions = {name: pin.version for name, pin in pins(sources).items()}
    assert direct.items() <= versions.items()
    # npm refuses to override what the project itself asks for.
    wanted["overrides"] = {name: at for name, at in versions.items() if name not in direct}
    (folder / "package.json").write_text(json.dumps(wanted))
    run(folder, "npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
    installed = json.loads((folder / "node_modules" / ".package-lock.json").read_text())["packages"]
    assert {
        path.removeprefix("node_modules/"): Pin(package["version"], package["integrity"])
        for path, package in installed.items()
    } == pins(sources)
    return folder


def run(folder: Path, *command: str) -> None:
    """Run a command in the folder; fail with what it said."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def assert_pinned(sources: Path) -> None:
    """Check that the pins have hashes, and name no registry."""
    assert all(pin.integrity.startswith("sha512-") for pin in pins(sources).values())
    assert "://" not in (sources / "constraints.txt").read_text()
    assert not (sources / "package-lock.json").exists()
