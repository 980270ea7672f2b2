"""The minutes of each part of the suite."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from tests.support.parts import PARTS, lines, part_of

ROOT = Path(__file__).parents[2]


def report(test_id: str, seconds: float, when: Literal["setup", "call"] = "call") -> object:
    location = (test_id, 1, "")
    return pytest.TestReport(test_id, location, {}, "passed", None, when, duration=seconds)


def test_the_time_of_two_workers_is_shared_out_to_the_parts() -> None:
    crash, page = "tests/e2e/failures/test_crashes.py::test_x", "tests/e2e/pages/test_a.py::test_y"
    reports = [report(crash, 30, "setup"), report(crash, 330), report(page, 60), "a warning"]

    assert lines(reports, 2) == ["failover: 3.0 min", "browser: 0.5 min"]


def test_a_test_of_no_part_is_one_of_the_others() -> None:
    assert part_of("tests/domain/job/test_x.py::test_y") == "other tests"


@pytest.mark.parametrize("place", [place for places in PARTS.values() for place in places])
def test_every_part_has_tests(place: str) -> None:
    assert list(ROOT.glob(f"{place.removesuffix('.py')}*"))
