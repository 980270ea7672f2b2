"""Times as in RFC 3339, in requests and commands.

Commands import this module, so it does not import marshmallow, which takes 0.1 s to load.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

RFC_3339: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(\.\d{1,9})?(?:[Zz]|([-+ ])(\d\d:\d\d))", re.ASCII
)


def time_of(text: str) -> datetime:
    """Return the time that an RFC 3339 text states, in UTC; raise `ValueError` for other texts.

    Digits after the microseconds are ignored.
    """
    matched = RFC_3339.fullmatch(text)
    if matched is None:
        raise ValueError(text)
    day, time, fraction, sign, offset = matched.groups()
    # A query decodes a + that the sender did not encode to a space.
    zone = f"{'-' if sign == '-' else '+'}{offset}" if offset else "+00:00"
    written = f"{day}T{time}{(fraction or '')[:7]}{zone}"
    try:
        return datetime.fromisoformat(written).astimezone(UTC)
    except OverflowError as error:
        raise ValueError(text) from error
