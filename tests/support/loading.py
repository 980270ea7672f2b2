"""What each worker of pytest-xdist loads first.

When pytest loads a module for the first time, it rewrites its assertions, and keeps the result in a
file. All workers collect the same modules in the same order. So in a fresh clone each would rewrite
all of them at the same time, which takes twice as long as all the rest of collecting.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path


def load_share(folder: Path, worker: int, workers: int) -> None:
    """Load one share of the test modules in a folder, so that the other workers need not."""
    for module in names(folder)[worker::workers]:
        # A module may raise anything. Pytest then loads it again, and reports what is wrong.
        with suppress(Exception):
            importlib.import_module(module)


def names(folder: Path) -> list[str]:
    """Return the names of the test modules in a folder of the repository."""
    files: Iterable[Path] = sorted(folder.rglob("test_*.py"))
    return [".".join(file.relative_to(folder.parent).with_suffix("").parts) for file in files]
