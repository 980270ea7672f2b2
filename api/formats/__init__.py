"""Formats of exports. Milepost imports `jsonl` only; other programs read the other formats."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from domain.transfer.jsonl import Portable


class Format(msgspec.Struct, frozen=True):
    """A format: `write` returns an event's bytes; the other bytes go before, between and after."""

    name: str
    version: int
    write: Callable[[Portable], bytes]
    before: bytes = b""
    between: bytes = b""
    after: bytes = b""
