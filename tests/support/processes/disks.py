"""Disks of a test's own: a small one, and one that nobody can write to.

Tests that mount need root, as CI has it, and a machine that lets root mount.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.processes.lacking import lacking, needs_root


@contextmanager
def small_disk(folder: Path, size: str = "1m") -> Iterator[Path]:
    """Make the folder a disk of that size, in memory, for as long as the context lasts."""
    _mount("-t", "tmpfs", "-o", f"size={size},mode=700", "milepost-test", str(folder))
    try:
        yield folder
    finally:
        _run("umount", "--lazy", str(folder))


@contextmanager
def read_only(folder: Path, *, at: Path | None = None) -> Iterator[Path]:
    """Show the folder read-only, also to root, for as long as the context lasts.

    It is shown in its own place, where nobody can write then, or `at` another place.
    """
    place = at or folder
    _mount("--bind", str(folder), str(place))
    try:
        _mount("-o", "remount,bind,ro", str(place))
        yield place
    finally:
        _run("umount", "--lazy", str(place))


def fill(folder: Path) -> Path:
    """Take all the room that the disk has; return the file that takes it."""
    filler = folder / "filler"
    with filler.open("ab", buffering=0) as file:
        for piece in (65536, 4096, 1):
            try:
                while file.write(b"\1" * piece):
                    pass
            except OSError:
                continue
    return filler


def _mount(*arguments: str) -> None:
    needs_root("mounts a disk of its own")
    said = _run("mount", *arguments)
    if said:
        lacking(f"this test mounts a disk of its own, which this machine refuses: {said}")


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stderr.strip() if done.returncode else ""
