"""The intake of a connection: what comes from its client, how much waits, and when it pauses."""

from __future__ import annotations

from asyncio import Transport
from typing import TYPE_CHECKING

from api.serving.http1.feeding import Feed

if TYPE_CHECKING:
    from api.serving.http1.connection import Connection
    from api.serving.http1.connections import Connections


class Intake:
    """Passes on what a client sends, piece by piece, and counts it in the room for requests.

    `is_paused` while nothing is taken from the system, because requests wait for their answers.
    """

    def __init__(
        self, connection: Connection, connections: Connections, transport: Transport
    ) -> None:
        self.is_paused = False
        self._connection = connection
        self._connections = connections
        self._transport = transport
        self._feed = Feed(connections.feeding, self)
        self._size = 0  # of the request that is not whole yet, as far as it is read
        self._is_counted = False

    @property
    def unread(self) -> int:
        """How many bytes have come and are not read."""
        return self._feed.unread

    def take(self, data: bytes) -> None:
        """Read what has come, now or in later turns of the loop."""
        self._feed.take(data)

    def pass_over(self) -> None:
        """Leave what has come unread, and take more in the next turn of the loop.

        The system may have megabytes more, and would read it all in this turn: 300 refused clients
        made a turn last 2 s so. One read a turn lets others in.
        """
        if not self.is_paused:
            self._transport.pause_reading()
            self._connections.loop.call_soon(self.let_in)

    def pause(self) -> None:
        """Take no more from the system until `go_on`."""
        if not self.is_paused:
            self._transport.pause_reading()
            self.is_paused = True

    def go_on(self) -> None:
        """Take more again, once all that has come is read."""
        self.is_paused = False
        if not self._feed.unread:
            self._transport.resume_reading()

    def drop(self) -> None:
        """Read nothing of what has come."""
        self._feed.drop()

    # What its feed calls

    def read(self, piece: bytes) -> bool:
        """See `feeding.Reads`."""
        return self._connection.read(piece)

    def hold_back(self, unread: int) -> None:
        """See `feeding.Reads`."""
        self._transport.pause_reading()
        self.hold(self._size)

    def let_in(self) -> None:
        """See `feeding.Reads`."""
        if not (self.is_paused or self._transport.is_closing()):
            self._transport.resume_reading()

    # How much of it waits

    def hold(self, size: int) -> None:
        """Count an unfinished request of so many bytes, with what is not read yet."""
        self._is_counted, self._size = True, size
        self._connections.unfinished.hold(self._connection, size + self._feed.unread)

    def settle(self) -> None:
        """Count the request as whole: it waits for its answer."""
        self._size = 0
        if self._is_counted:
            self._connections.unfinished.settle(self._connection)

    def release(self) -> None:
        """Count the whole requests no more: they are answered."""
        if self._is_counted:
            self._connections.unfinished.release(self._connection)

    def forget(self) -> None:
        """Count nothing, and read nothing of what has come."""
        self._feed.drop()
        if self._is_counted:
            self._connections.unfinished.forget(self._connection)
