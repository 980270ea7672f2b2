"""Times in requests: the grammar is that of senders, and a cut time means all of its last unit."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.schemas.times import asked_time, sent_time

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
RECORDED = NOON.replace(second=7, microsecond=123_456)
moments = st.datetimes(datetime(2001, 1, 1), datetime(2099, 1, 1), timezones=st.just(UTC))


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2026-03-02T12:00:00Z", 0, 999_999),
        ("2026-03-02 13:00:00+01:00", 0, 999_999),
        ("2026-03-02T12:00:00 00:00", 0, 999_999),
        ("20260302T120000Z", 0, 999_999),
        ("2026-03-02T12:00Z", 0, 999_999),
        ("2026-03-02T12:00:00.5Z", 500_000, 599_999),
        ("2026-03-02T12:00:00,123Z", 123_000, 123_999),
        ("2026-03-02T12:00:00.123456Z", 123_456, 123_456),
        ("2026-03-02T12:00:00.123456789Z", 123_456, 123_456),
        ("2026-03-02T11:59:60Z", -1, -1),
        ("1772452800", 0, 999_999),
        ("1772452800.25", 250_000, 259_999),
        ("1772452800123", 123_000, 123_999),
        ("1772452800123.4", 123_400, 123_499),
        ("1772452800123456", 123_456, 123_456),
        ("1772452800123456789", 123_456, 123_456),
    ],
)
def test_a_time_is_all_of_the_unit_that_is_written(text: str, first: int, last: int) -> None:
    asked = asked_time(text)

    assert [(each - NOON) // timedelta(microseconds=1) for each in asked] == [first, last]


@pytest.mark.parametrize(
    "text", ["", "now", "12", "2026-03-02", "2026-03-02T12:00:00", "9" * 20, "1e9", "-1", "٣" * 10]
)
def test_other_texts_are_no_time(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        asked_time(text)


@given(moments, st.sampled_from(["seconds", "milliseconds", "microseconds"]))
def test_a_time_is_found_by_any_clock_that_shows_it(moment: datetime, clock: str) -> None:
    asked = asked_time(moment.isoformat(timespec=clock))

    assert asked.first <= moment <= asked.last


@given(moments, st.sampled_from([1, 1_000, 1_000_000]))
def test_a_time_is_found_by_any_count_since_1970(moment: datetime, units: int) -> None:
    microseconds = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)

    asked = asked_time(str(microseconds * units // 1_000_000))

    assert asked.first <= moment <= asked.last


@pytest.mark.parametrize(
    "text", ["2026-03-02T12:00:00.5Z", "20260302T120000,25+0000", "1772452800", "1772452800123"]
)
def test_what_a_sender_may_write_may_be_asked_for(text: str) -> None:
    bounds = (NOON - timedelta(days=9999), NOON + timedelta(days=1))

    assert sent_time(text, *bounds) == asked_time(text).first
