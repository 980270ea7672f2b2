"""Chromium, as Debian and others install it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from playwright.sync_api import Browser, sync_playwright

from tests.support.processes.lacking import lacking

NAMES: Final = ("chromium-headless-shell", "chromium", "chromium-browser")
"""The programs that draw pages, the cheapest first: the first has no window, and takes half the
CPU time of the others."""
QUIET: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Yield a browser. Only a person's machine may lack it: there the test is skipped."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        lacking("pages are tested in chromium, which is not installed")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=found, args=QUIET)
        yield started
        started.close()
