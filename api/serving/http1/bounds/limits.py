"""What clients of a worker may take, before any of HTTP is loaded: commands ask for it, too."""

from __future__ import annotations

from typing import Final, NamedTuple

from api.settings.settings import CONNECTIONS_PER_ADDRESS

RESERVED: Final = 64
"""How many connections a worker may have beyond its bound, for questions about its health."""


class Limits(NamedTuple):
    """What clients of a worker may take."""

    connections: int = 16_384
    """How many connections there are at most."""
    per_address: int = CONNECTIONS_PER_ADDRESS
    """How many of them an address may have that is no trusted proxy's."""
    idle: float = 60
    """How long the head of a request may take, with the silence before it, in seconds."""
    body: float = 15
    """How long a body may take, in seconds."""
    write: float = 30
    """How long a client may take no 16 KiB of an answer that waits for it, in seconds."""
    linger: float = 5
    """How long a refused client may take to read its answer and to hang up, in seconds."""
    unfinished: int = 64 * 1024 * 1024
    """How many bytes of requests without an answer there are at most."""
    unsent: int = 64 * 1024 * 1024
    """How many bytes of answers there are at most that slow clients have not taken."""


LIMITS: Final = Limits()
