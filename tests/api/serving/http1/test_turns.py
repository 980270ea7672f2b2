"""What one client takes of a turn of the event loop."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from contextlib import suppress
from typing import ClassVar

from api.serving.http1.connection import Connection
from tests.support.web.connections import MANY, Case, run


class Turns(Connection):
    """Counts, for each turn of the loop, how often something was read."""

    turn: ClassVar[int] = 0
    reads: ClassVar[Counter[int]] = Counter()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        # As many bytes as this system lets wait at a socket.
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, MANY)
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        Turns.reads[Turns.turn] += 1
        super().data_received(data)


def test_what_a_refused_client_goes_on_sending_is_read_once_a_turn() -> None:
    """The system has megabytes of it ready. While all are read, everybody else waits."""

    async def test(case: Case) -> None:
        with socket.create_connection(("127.0.0.1", case.port)) as client:
            client.setblocking(False)
            client.send(b"malformed\r\n\r\n")
            await case.until(lambda: bool(Turns.reads))
            Turns.reads.clear()
            # No turn of the loop passes meanwhile.
            sent = 0
            with suppress(BlockingIOError):
                while sent < MANY:
                    sent += client.send(bytes(1024 * 1024))
            while Turns.reads.total() < 4:
                Turns.turn += 1
                await asyncio.sleep(0)
        assert set(Turns.reads.values()) == {1}

    run(test, kind=Turns)
