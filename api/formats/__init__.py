"""The formats of exports. Only `jsonl` can be imported; the others are for reading elsewhere."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from domain.transfer.jsonl import Portable


class Format(msgspec.Struct, frozen=True):
    """How events are written: each by `write`, with what is before, between and after them."""

    name: str
    version: int
    write: Callable[[Portable], bytes]
    before: bytes = b""
    between: bytes = b""
    after: bytes = b""
