"""Bodies that were sent not long ago: a page that polls mostly asks for what it has seen before."""

from __future__ import annotations

from datetime import datetime
from threading import Lock
from typing import Final, NamedTuple

from domain.job.runs.weight import weight_of
from projections.views.instance import Instance

MOST: Final = 512
LARGEST_BYTES: Final = 8 * 1024
WIDEST_BYTES: Final = 16 * 1024
"""No longer body is kept, and none of a wider state: 512 of both take 12 MiB."""


class Made(NamedTuple):
    """All that a body is made of. The tag says what time has changed."""

    instance: Instance
    tag: str
    first_start: datetime | None


class RecentBodies:
    """The newest body of each of `MOST` paths; the one that was made first makes way.

    Any thread may read and write.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._bodies: dict[str, tuple[Made, bytes]] = {}

    def get(self, path: str, made: Made) -> bytes | None:
        """Return the body of a path if it was made of the same; else None."""
        before, body = self._bodies.get(path) or (None, None)
        return body if before == made else None

    def put(self, path: str, made: Made, body: bytes) -> None:
        """Keep a body, unless it is long or of a wide state."""
        if len(body) > LARGEST_BYTES or weight_of(made.instance.runs) > WIDEST_BYTES:
            return
        with self._lock:
            self._bodies.pop(path, None)
            self._bodies[path] = made, body
            if len(self._bodies) > MOST:
                del self._bodies[next(iter(self._bodies))]
