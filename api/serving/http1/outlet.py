"""The outlet of a connection: what is written to its client, and how far the client took it."""

from __future__ import annotations

from asyncio import Transport
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from api.http.messages import Answer
from api.http.problems.documents import problem_of
from api.serving.http1.bounds.pace import Pace
from api.serving.http1.outgoing import CONTINUE, in_bytes

if TYPE_CHECKING:
    from api.serving.http1.connection import Connection
    from api.serving.http1.connections import Connections

HIGH_WATER: Final = 16 * 1024
"""How many bytes of answers may wait for a client before its next request has to wait."""


class Outlet:
    """Writes for one connection; the sink of its stream, if it has one (see `Sink`).

    `is_clogged` while more than `HIGH_WATER` bytes wait for the client: these count in the room for
    unsent answers.
    """

    def __init__(
        self, connection: Connection, connections: Connections, transport: Transport
    ) -> None:
        self.is_clogged = False
        self._connection = connection
        self._connections = connections
        self._transport = transport
        self._pace = Pace()
        transport.set_write_buffer_limits(HIGH_WATER)

    @property
    def unsent(self) -> int:
        """See `Sink.unsent`."""
        return self._transport.get_write_buffer_size()

    @property
    def due(self) -> float:
        """The tick by which the client must have taken more; see `Pace`."""
        return self._pace.due

    def is_too_slow(self, tick: float) -> bool:
        """Tell at each look whether the client takes too long."""
        next_due = self._connections.after(self._connections.limits.write)
        return self._pace.is_too_slow(self.unsent, tick, next_due)

    def clog(self) -> None:
        """Count what waits: the client is slow to take it."""
        self.is_clogged = True
        self._connections.unsent.hold(self._connection, self.unsent)

    def clear(self) -> None:
        """Count nothing any more: the client has taken it, or is gone."""
        if self.is_clogged:
            self.is_clogged = False
            self._connections.unsent.forget(self._connection)

    def go_ahead(self) -> None:
        """Ask the client for the body that it waits with."""
        self._transport.write(CONTINUE)

    def send(self, method: str, answer: Answer, more: Sequence[str] = ()) -> None:
        """Write the answer to a request of this method; `more` are lines of its head."""
        try:
            written = self._in_bytes(method, answer, more)
        except ValueError as error:  # a bug: a text that no header can have
            written = self._in_bytes(method, problem_of(error, method, ""), more)
        self.write(written)

    def write(self, written: bytes) -> None:
        """See `Sink.write`."""
        self._pace.written += len(written)
        self._transport.write(written)
        if self.is_clogged:
            self._connections.unsent.hold(self._connection, self.unsent)

    def close(self) -> None:
        """See `Sink.close`."""
        self._transport.close()

    def abort(self) -> None:
        """See `Sink.abort`."""
        self._transport.abort()

    def _in_bytes(self, method: str, answer: Answer, more: Sequence[str]) -> bytes:
        return in_bytes(method, answer, [self._connections.date, *more])
