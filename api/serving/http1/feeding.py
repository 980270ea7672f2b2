"""Feeding: connections whose bytes take long to read share the time of the event loop.

Chunks of one byte cost the loop a thousand times their bytes. So a connection is read piece by
piece, for half a millisecond. The rest of what it sent waits, and nothing more is taken from the
system meanwhile. All that waits is read in turns, and between two turns the loop does all else.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop
from collections import deque
from collections.abc import Callable
from time import perf_counter
from typing import Final, Protocol

PIECE_BYTES: Final = 1024
"""How many bytes are read before the first look at the clock; then twice as many, and so on."""
LARGEST_PIECE: Final = 64 * 1024
SLICE_SECONDS: Final = 0.000_5
"""How long a connection is read at a time."""
TURN_SECONDS: Final = 0.01
"""How long connections are read in one turn of the loop, if some are slow to read."""
CHEAP_SECONDS: Final = 0.000_2
"""What takes less time is not counted: most requests are such."""


class Reads(Protocol):
    """A connection."""

    def read(self, piece: bytes) -> bool:
        """Read a piece; return whether more may be read."""
        ...

    def hold_back(self, unread: int) -> None:
        """Take no more from the system: so many bytes wait to be read."""
        ...

    def let_in(self) -> None:
        """Take more from the system: all that waited is read."""
        ...


class Feeding:
    """The time of a loop for reading. Who has sent little, such as a callback, goes first."""

    def __init__(self, loop: AbstractEventLoop, clock: Callable[[], float] = perf_counter) -> None:
        self.left = TURN_SECONDS
        self.clock = clock
        self._loop = loop
        self._first: deque[Feed] = deque()
        self._others: deque[Feed] = deque()
        self._is_scheduled = False

    def spend(self, seconds: float) -> None:
        """Count time that a connection took in this turn."""
        self.left -= seconds
        self._schedule()

    def wait(self, feed: Feed, *, is_little: bool) -> None:
        """Read a connection in a later turn."""
        (self._first if is_little else self._others).append(feed)
        self._schedule()

    def _schedule(self) -> None:
        if not self._is_scheduled:
            self._is_scheduled = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        self._is_scheduled = False
        self.left = TURN_SECONDS
        until = self.clock() + TURN_SECONDS
        for waiting in (self._first, self._others):  # at least one of each
            if waiting:
                self._go_on(waiting)
        while (self._first or self._others) and self.clock() < until:
            self._go_on(self._first or self._others)
        if self._first or self._others:
            self._schedule()

    def _go_on(self, waiting: deque[Feed]) -> None:
        feed = waiting.popleft()
        if feed.go_on():
            self._others.append(feed)


class Feed:
    """What a connection has sent, and how far it is read. `unread` bytes wait."""

    __slots__ = ("_connection", "_feeding", "_pieces", "_waits", "unread")

    def __init__(self, feeding: Feeding, connection: Reads) -> None:
        self.unread = 0
        self._feeding = feeding
        self._connection = connection
        self._pieces: deque[bytes] = deque()
        self._waits = False

    def take(self, data: bytes) -> None:
        """Read what has come, or a part of it now and the rest later."""
        if self._waits or self._feeding.left <= 0:
            self._keep(data, is_little=len(data) <= PIECE_BYTES)
        elif rest := self._read(data):
            self._keep(rest, is_little=False)

    def go_on(self) -> bool:
        """Read on; return whether there is more."""
        if self._pieces:
            data = self._pieces.popleft()
            self.unread -= len(data)
            if rest := self._read(data):
                self._pieces.appendleft(rest)
                self.unread += len(rest)
        self._waits = bool(self._pieces)
        if not self._waits:
            self._connection.let_in()
        return self._waits

    def drop(self) -> None:
        """Read nothing of what waits."""
        self._pieces.clear()
        self.unread = 0

    def _keep(self, data: bytes, *, is_little: bool) -> None:
        self._pieces.append(data)
        self.unread += len(data)
        if not self._waits:
            self._waits = True
            self._feeding.wait(self, is_little=is_little)
        self._connection.hold_back(self.unread)

    def _read(self, data: bytes) -> bytes:
        """Read for a slice of time; return the rest."""
        clock, rest = self._feeding.clock, b""
        began = clock()
        if len(data) <= PIECE_BYTES:  # as most requests
            self._connection.read(data)
        else:
            rest = self._read_pieces(data, began + SLICE_SECONDS)
        passed = clock() - began
        if passed > CHEAP_SECONDS:
            self._feeding.spend(passed)
        return rest

    def _read_pieces(self, data: bytes, until: float) -> bytes:
        clock, at, size = self._feeding.clock, 0, PIECE_BYTES
        while at < len(data):
            piece = data[at : at + size]  # no copy, if it is all
            at += size
            size = min(2 * size, LARGEST_PIECE)
            if not self._connection.read(piece):
                return b""
            if clock() >= until:
                break
        return data[at:]
