"""The parts of the suite that have a budget of their own, and how long each took."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import pytest

PARTS: Final = {
    "failover": ("tests/e2e/failures/", "tests/survive/"),
    "browser": ("tests/e2e/pages/", "tests/e2e/test_embedding.py"),
    "fuzzing and generated clients": (
        "tests/clients/test_",
        "tests/drill/test_fuzzing.py",
    ),
}
"""The tests of each part, by the beginnings of their ids. All others are the suite's own."""
OTHERS: Final = "other tests"


def part_of(test_id: str) -> str:
    """Return the name of the part that a test belongs to."""
    return next((name for name, places in PARTS.items() if test_id.startswith(places)), OTHERS)


def seconds_by_part(reports: Iterable[object]) -> dict[str, float]:
    """Return how many seconds the tests of each part took in sum, with setup and teardown."""
    seconds = dict.fromkeys((OTHERS, *PARTS), 0.0)
    for report in reports:
        if isinstance(report, pytest.TestReport):
            seconds[part_of(report.nodeid)] += report.duration
    return seconds


def lines(reports: Iterable[object], workers: int) -> list[str]:
    """Return a line for each part that ran, with its share of the time of so many workers."""
    return [
        f"{part}: {seconds / workers / 60:.1f} min"
        for part, seconds in seconds_by_part(reports).items()
        if seconds
    ]
