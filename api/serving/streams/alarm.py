"""An alarm: a request that waits for a change lets its stream write here, and not to a client."""

from __future__ import annotations

from asyncio import AbstractEventLoop, Future


class Alarm:
    """Rings at the first bytes of a stream, or at its end; see `Sink`."""

    unsent = 0

    def __init__(self, loop: AbstractEventLoop) -> None:
        self.rung: Future[None] = loop.create_future()

    def write(self, written: bytes) -> None:
        """See `Sink.write`."""
        self.close()

    def close(self) -> None:
        """See `Sink.close`."""
        if not self.rung.done():
            self.rung.set_result(None)

    abort = close
