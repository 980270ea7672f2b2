"""Few lines: whoever causes them again and again neither fills the log nor hides other lines."""

from __future__ import annotations

import logging

import pytest

from domain.few_lines import MINUTE_SECONDS, PER_MINUTE, FewWarnings


def test_some_lines_a_minute_are_logged_and_then_the_number_of_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    minutes = [0.0]
    few = FewWarnings(logging.getLogger("milepost"), "a_kind", lambda: minutes[0] * MINUTE_SECONDS)
    for minute in range(3):
        minutes[0] = minute
        for number in range(PER_MINUTE + 5 * (minute == 0)):
            few.warning("line %d", number)

    one_minute = [f"line {number}" for number in range(PER_MINUTE)]
    left_out = ["5 lines like the next one were left out (a_kind)"]
    assert caplog.messages == [*one_minute, *left_out, *one_minute, *one_minute]
