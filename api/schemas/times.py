"""Times in requests and commands: RFC 3339, and what senders write instead.

Commands import this module, so it does not import marshmallow, which takes 0.1 s to load.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final, NamedTuple

RFC_3339: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:)(\d\d)(\.\d{1,9})?(?:[Zz]|([-+ ])(\d\d:\d\d))", re.ASCII
)
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
EPOCH_DIGITS: Final = re.compile(r"\d{1,20}(?:\.(\d{1,12}))?", re.ASCII)
UNITS_A_SECOND: Final = (1, 1_000, 1_000_000, 1_000_000_000)
ASKED_FROM: Final = datetime(2000, 1, 1, tzinfo=UTC)
ASKED_UNTIL: Final = datetime(2100, 1, 1, tzinfo=UTC)
"""Between these bounds, seconds, milli-, micro- and nanoseconds since 1970 differ in length."""
FRACTION: Final = re.compile(r"[.,](\d+)", re.ASCII)
MICROSECOND_DIGITS: Final = 6
LEAP_SECOND: Final = re.compile(r"([Tt ]\d\d:?\d\d:?)60(?:[.,]\d+)?", re.ASCII)


def time_of(text: str) -> datetime:
    """Return the time that an RFC 3339 text states, in UTC; raise `ValueError` for other texts.

    Digits after the microseconds are ignored. A leap second, `:60`, is the last microsecond before
    the next minute.
    """
    matched = RFC_3339.fullmatch(text)
    if matched is None:
        raise ValueError(text)
    day, time, second, fraction, sign, offset = matched.groups()
    if second == "60":
        second, fraction = "59", ".999999"
    # A query decodes a + that the sender did not encode to a space.
    zone = f"{'-' if sign == '-' else '+'}{offset}" if offset else "+00:00"
    written = f"{day}T{time}{second}{(fraction or '')[:7]}{zone}"
    try:
        return datetime.fromisoformat(written).astimezone(UTC)
    except OverflowError as error:
        raise ValueError(text) from error


class AskedTime(NamedTuple):
    """The first and the last microsecond of what a text calls a time.

    A text whose last digit is a millisecond means all of that millisecond, and one without a
    fraction all of that second. So an event is found by its own time as another clock shows it.
    """

    first: datetime
    last: datetime


def asked_time(text: str) -> AskedTime:
    """Return the time that a request or a command names, in UTC; raise `ValueError`.

    The grammar is that of `sent_time`.
    """
    units, fraction = 1, FRACTION.search(text)
    digits = len(fraction[1]) if fraction else 0
    if EPOCH_DIGITS.fullmatch(text):
        first, units = _since_1970(Decimal(text), ASKED_FROM, ASKED_UNTIL)
    else:
        first = _written(text)
        if LEAP_SECOND.search(text):
            digits = MICROSECOND_DIGITS
    lasting = 10**MICROSECOND_DIGITS // (units * 10 ** min(digits, MICROSECOND_DIGITS))
    return AskedTime(first, first + timedelta(microseconds=max(lasting, 1) - 1))


def sent_time(sent: object, earliest: datetime, latest: datetime) -> datetime:
    """Return the time that a sender gave, in UTC; raise `ValueError` if it cannot be used.

    Understood are RFC 3339, ISO 8601 with an offset, and the time since 1970 in seconds, milli-,
    micro- or nanoseconds: at most one of these units comes to a time between both bounds.
    """
    if isinstance(sent, str) and not EPOCH_DIGITS.fullmatch(sent):
        moment = _written(sent)
        if earliest <= moment <= latest:
            return moment
    elif isinstance(sent, (str, int, float)) and not isinstance(sent, bool):
        return _since_1970(Decimal(str(sent)), earliest, latest)[0]
    raise ValueError(sent)


def _since_1970(number: Decimal, earliest: datetime, latest: datetime) -> tuple[datetime, int]:
    """Return the time, and how many of its units are a second."""
    for units in UNITS_A_SECOND:
        seconds = number / units
        if earliest.timestamp() <= seconds <= latest.timestamp():
            return EPOCH + timedelta(microseconds=int(seconds * 1_000_000)), units
    raise ValueError(number)


def _written(text: str) -> datetime:
    try:
        return time_of(text)
    except ValueError:
        moment = datetime.fromisoformat(LEAP_SECOND.sub(r"\g<1>59.999999", text.strip()))
    if moment.tzinfo is None:
        raise ValueError(text)
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(text) from error
