"""Bytes that no honest client sends: the server reads them in one way only, and lives.

Every stream is made from a seed. Set MILEPOST_FUZZ_SEED and MILEPOST_FUZZ_STREAMS for others.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from itertools import count
from random import Random
from time import perf_counter
from typing import Final

import pytest

from api.serving.http1.incoming import Incoming
from tests.support.web.connections import QUICK, Case, get, run
from tests.support.web.hostile_http import pieces, stream
from tests.support.web.strict_http import Read, readings

SEED: Final = int(os.environ.get("MILEPOST_FUZZ_SEED", "20261126"))
STREAMS: Final = int(os.environ.get("MILEPOST_FUZZ_STREAMS", "400"))
AT_ONCE: Final = 20


async def read_by(case: Case, sent: Sequence[bytes]) -> tuple[list[Read], bytes]:
    """Send pieces over a connection of its own; return how they were read, and the answers."""
    client = await case.client()
    port = client.writer.get_extra_info("sockname")[1]
    for piece in sent:
        if not client.transport.is_closing():  # the server may have refused the client already
            client.send(piece)
        await asyncio.sleep(0)  # each piece goes out for itself
    with suppress(OSError, RuntimeError):  # the same
        client.writer.write_eof()
    answers = await client.ended()
    client.transport.abort()
    return [as_read(each) for each in case.asked if each.ends.client[1] == port], answers


def as_read(incoming: Incoming) -> Read:
    return Read(incoming.method, incoming.target, incoming.body)


@pytest.mark.parametrize("clock", [perf_counter, partial(next, count())])
def test_no_stream_of_bytes_has_two_readings(clock: Callable[[], float]) -> None:
    """However it is cut into pieces; and a strict reader finds the same requests in it.

    A request that one program in front of Milepost takes for two, or for another one, could carry
    one past it. The server may read less than the strict reader, if it refuses the rest. By the
    second clock a second passes between two looks, so all bytes wait for their turns.
    """

    async def test(case: Case) -> None:
        random = Random(SEED)

        async def one(number: int) -> None:
            sent = stream(random)
            in_pieces = pieces(random, sent)
            what = f"stream {number} of seed {SEED}: {sent[:2000]!r}"
            at_once, answers = await read_by(case, [sent])
            cut, _ = await read_by(case, in_pieces)
            expected = readings(sent)
            assert at_once == expected[: len(at_once)], what
            assert cut == expected[: len(cut)], what
            statuses = re.findall(rb"HTTP/1\.1 ([0-9]{3}) [A-Z]", answers)
            final = [status for status in statuses if status != b"100"]
            refused = len(final) - final.count(b"200")
            assert final.count(b"200") <= len(at_once), what
            assert refused <= 1, what

        for begun in range(0, STREAMS, AT_ONCE):
            await asyncio.gather(*(one(begun + number) for number in range(AT_ONCE)))
            case.asked.clear()
            client = await case.client()
            client.send(get("/alive"))
            assert await client.status() == 200
            case.clients.clear()
            client.transport.abort()
        await case.until(lambda: not case.connections.open)
        assert case.connections.unfinished.taken == 0

    run(test, QUICK, clock=clock)
