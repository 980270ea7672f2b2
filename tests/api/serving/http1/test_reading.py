"""What a reader holds between the requests of its connection."""

from __future__ import annotations

import tracemalloc

from api.http.bodies import MAX_BODY_BYTES
from api.serving.http1.incoming import Ends, Incoming
from api.serving.http1.reading import MAX_HEAD_BYTES, Reader

ENDS = Ends(("127.0.0.1", 1), ("127.0.0.1", 2))


class Counting:
    """Counts the requests that it takes, and keeps none."""

    reads_on = True

    def __init__(self) -> None:
        self.taken = 0

    def begin_body(self, *, is_awaited: bool) -> None:
        """Let the body come."""

    def hold(self, size: int) -> None:
        """Let the request be as large as it is."""

    def take(self, incoming: Incoming, *, is_last: bool) -> None:
        """Count a whole request."""
        self.taken += 1


def test_an_idle_connection_holds_nothing_of_its_last_request() -> None:
    field = b"X-Long: " + b"v" * (MAX_HEAD_BYTES // 2)
    head = b"POST / HTTP/1.1\r\nHost: m\r\nContent-Length: %d\r\n" % MAX_BODY_BYTES
    reads = Counting()
    reader = Reader(reads, ENDS)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        reader.feed(head + field + b"\r\n\r\n")
        for _ in range(MAX_BODY_BYTES // MAX_HEAD_BYTES):
            reader.feed(bytes(MAX_HEAD_BYTES))
        held = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert reads.taken == 1
    assert held < MAX_HEAD_BYTES // 4
