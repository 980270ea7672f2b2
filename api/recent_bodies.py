"""Bodies that were sent not long ago: a page that polls mostly asks for what it has seen before."""

from __future__ import annotations

from collections.abc import Hashable
from threading import Lock
from typing import Final

MOST: Final = 512
LARGEST_BYTES: Final = 8192
"""No longer body is kept, so all of them take 4 MiB at most."""


class RecentBodies:
    """The newest `MOST` bodies by key; the one that was put first makes way.

    A key says all that its body is made of. Any thread may read and write.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._bodies: dict[Hashable, bytes] = {}

    def get(self, key: Hashable) -> bytes | None:
        """Return a body; None if it is not here."""
        return self._bodies.get(key)

    def put(self, key: Hashable, body: bytes) -> None:
        """Keep a body, unless it is long."""
        if len(body) > LARGEST_BYTES:
            return
        with self._lock:
            self._bodies[key] = body
            if len(self._bodies) > MOST:
                del self._bodies[next(iter(self._bodies))]
