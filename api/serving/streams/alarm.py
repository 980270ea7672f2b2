"""An alarm: a stream that goes nowhere, for a request that waits until something is new."""

from __future__ import annotations

from asyncio import AbstractEventLoop, Future


class Alarm:
    """Rings when the first bytes come, or the end; see `Sink`."""

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
