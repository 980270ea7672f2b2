"""What a machine lacks: a test is skipped for it on a person's machine, and fails in CI."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def lacking(what: str) -> NoReturn:
    """End a test that this machine cannot run; say what it lacks.

    CI has everything, so that a test which is skipped everywhere is noticed there.
    """
    if "CI" in os.environ:
        pytest.fail(what)
    pytest.skip(what)


def needs_root(does: str) -> None:
    """End a test that does what only root can, unless it runs as root."""
    if os.geteuid() != 0:
        lacking(f"this test {does}, which needs root")
