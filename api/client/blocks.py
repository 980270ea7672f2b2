"""Blocks of server-sent events (WHATWG HTML, 9.2), as they come from a server."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple


class Block(NamedTuple):
    """The fields of a block; a field that the block lacks is None."""

    id: str | None = None
    event: str | None = None
    data: str | None = None
    retry: str | None = None


def blocks(lines: Iterable[bytes]) -> Iterator[Block]:
    """Yield the blocks of which these are the lines.

    A comment, too, ends a wait for lines, but belongs to no block. A block at the end without an
    empty line is not whole, and is dropped.
    """
    fields: dict[str, str] = {}
    for raw in lines:
        line = raw.decode("utf-8", "replace").rstrip("\r\n")
        if not line:
            if fields:
                yield Block(*map(fields.get, Block._fields))
            fields = {}
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data" and "data" in fields:
            value = f"{fields['data']}\n{value}"
        if name in Block._fields:
            fields[name] = value
