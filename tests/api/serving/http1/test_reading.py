"""What a reader holds, and how much of it is counted."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator

import pytest
from werkzeug.exceptions import RequestEntityTooLarge

from api.http.bodies import MAX_BODY_BYTES
from api.serving.http1.incoming import Ends, Incoming
from api.serving.http1.reading import (
    CHUNK_BYTES,
    MAX_AROUND_BODY,
    MAX_CHUNKS,
    MAX_FIELDS,
    MAX_HEAD_BYTES,
    Reader,
)

ENDS = Ends(("127.0.0.1", 1), ("127.0.0.1", 2))


NAMES = [b"%c%c" % (97 + each // 26, 97 + each % 26) for each in range(MAX_FIELDS - 1)]
SHORT_LINES = b"GET / HTTP/1.1\r\nHost: m\r\n" + b"".join(b"%s:vv\r\n" % each for each in NAMES)


class Counting:
    """Counts the requests that it takes, and keeps none."""

    reads_on = True

    def __init__(self) -> None:
        self.taken = self.held = 0

    def begin_body(self, *, is_awaited: bool) -> None:
        """Let the body come."""

    def hold(self, size: int) -> None:
        """Keep the count of an unfinished request."""
        self.held = size

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


def in_chunks(size: int, count: int) -> bytes:
    head = b"POST / HTTP/1.1\r\nHost: m\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + (b"%x\r\n%s\r\n" % (size, bytes(size))) * count + b"0\r\n\r\n"


def pieces(data: bytes) -> Iterator[bytes]:
    """Return what a connection feeds its reader."""
    return (data[start : start + MAX_HEAD_BYTES] for start in range(0, len(data), MAX_HEAD_BYTES))


def feed_all(reader: Reader, data: bytes) -> None:
    for piece in pieces(data):
        reader.feed(piece)


def test_a_body_in_more_chunks_than_its_bytes_explain_is_refused() -> None:
    """A body of 1 MiB in chunks of one byte holds the event loop for a third of a second."""
    reader = Reader(Counting(), ENDS)
    data = in_chunks(1, MAX_CHUNKS + MAX_CHUNKS // 64)
    with pytest.raises(RequestEntityTooLarge, match="chunks"):
        reader.feed(data)


def test_requests_that_come_in_one_piece_share_its_chunks() -> None:
    reader = Reader(Counting(), ENDS)
    with pytest.raises(RequestEntityTooLarge, match="chunks"):
        reader.feed(in_chunks(1, MAX_CHUNKS // 2) * 3)


@pytest.mark.parametrize(("size", "count"), [(1, MAX_CHUNKS), (CHUNK_BYTES, 4000), (65536, 16)])
def test_a_body_in_chunks_of_a_usual_size_is_read_again_and_again(size: int, count: int) -> None:
    reads = Counting()
    reader = Reader(reads, ENDS)
    for _ in range(3):
        feed_all(reader, in_chunks(size, count))
    assert reads.taken == 3


@pytest.mark.parametrize("line", [b"0\r\nX: ", b"1;x="], ids=["a trailer", "an extension"])
def test_a_line_around_a_body_is_no_longer_than_a_head(line: bytes) -> None:
    """The parser copies a line that has not ended for each further byte that comes."""
    reader = Reader(Counting(), ENDS)
    reader.feed(in_chunks(1, 0).removesuffix(b"0\r\n\r\n") + line)
    with pytest.raises(RequestEntityTooLarge):
        feed_all(reader, b"x" * (MAX_AROUND_BODY + 1))


def test_the_lines_of_as_many_chunks_as_a_body_may_have_are_no_fault() -> None:
    reads = Counting()
    reader = Reader(reads, ENDS)
    body = b"%x\r\n%s\r\n" % (CHUNK_BYTES, bytes(CHUNK_BYTES)) * (MAX_BODY_BYTES // CHUNK_BYTES)
    head = b"POST / HTTP/1.1\r\nHost: m\r\nX: %s\r\n" % (b"x" * (MAX_HEAD_BYTES - 200))
    feed_all(reader, head + b"Transfer-Encoding: chunked\r\n\r\n" + body + b"0\r\n\r\n")
    assert reads.taken == 1


class Keeping(Counting):
    """Keeps the requests that it takes."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[Incoming] = []

    def take(self, incoming: Incoming, *, is_last: bool) -> None:
        """Keep a whole request."""
        self.kept.append(incoming)


def test_a_request_that_waits_counts_as_what_it_takes() -> None:
    """A hundred short lines take thirty times their bytes."""
    reads = Keeping()
    reader = Reader(reads, ENDS)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(16):
            reader.feed(SHORT_LINES + b"\r\n")
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    counted = sum(each.size for each in reads.kept)
    assert len(reads.kept) == 16
    assert taken <= counted < 2 * taken


def test_a_head_that_does_not_end_counts_as_what_it_takes() -> None:
    reads = Counting()
    reader = Reader(reads, ENDS)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        reader.feed(SHORT_LINES)
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert taken <= reads.held < 2 * taken
