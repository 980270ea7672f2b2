"""A request as it came in: whole, in bytes, with no meaning yet."""

from __future__ import annotations

from functools import cache
from typing import Final, NamedTuple, TypeAlias

Fields: TypeAlias = dict[bytes, bytes]
"""The header by lower-case name; the values of a name that comes several times, with commas."""
FIELD_BYTES: Final = 160
"""How many bytes a field takes besides its characters: two objects, and a place among the fields.

A head of a hundred lines of 7 bytes takes 12 KB so. Only its characters were counted once, and one
address could make a worker hold 200 MB of requests that wait for slow answers.
"""


class Ends(NamedTuple):
    """The two ends of a connection, each with its address and its port."""

    client: tuple[str, int]
    server: tuple[str, int]


class Incoming:
    """A request, whose body is whole.

    `is_gone` becomes true when its connection is lost: nobody waits for the answer any more.
    """

    __slots__ = ("body", "ends", "fields", "is_gone", "method", "target", "version")

    def __init__(
        self,
        method: str,
        target: bytes,
        version: str,
        fields: Fields,
        body: bytes,
        ends: Ends,
    ) -> None:
        self.method = method
        self.target = target
        self.version = version
        self.fields = fields
        self.body = body
        self.ends = ends
        self.is_gone = False

    @property
    def size(self) -> int:
        """The bytes that it takes while it waits."""
        lines = sum(len(name) + len(value) for name, value in self.fields.items())
        return len(self.target) + lines + FIELD_BYTES * len(self.fields) + len(self.body)

    def header(self, name: str) -> str | None:
        """See `Headers`: any byte is a character, as in WSGI."""
        value = self.fields.get(_lower(name))
        return None if value is None else value.decode("latin-1")


@cache
def _lower(name: str) -> bytes:
    return name.lower().encode()
