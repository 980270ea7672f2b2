"""Feeding: a connection that is slow to read holds up neither others nor the loop."""

from __future__ import annotations

import asyncio
from functools import partial
from itertools import count

from api.serving.http1.feeding import LARGEST_PIECE, PIECE_BYTES, TURN_SECONDS, Feed, Feeding
from tests.support.projectors.seconds import Seconds
from tests.support.web.connections import PATIENT, Case, Client, get, post, run

KIB = 1024
MANY = 40


class Slow:
    """A connection of which each piece takes a time to read."""

    def __init__(self, name: str, feeding: Feeding, seconds: Seconds, read: list[str]) -> None:
        self.name, self.feed = name, Feed(feeding, self)
        self._seconds, self._read = seconds, read
        self.pieces: list[bytes] = []
        self.is_held_back = False

    def read(self, piece: bytes) -> bool:
        self._seconds.now += 0.001
        self.pieces.append(piece)
        self._read.append(self.name)
        if piece == b"last":  # as a connection that refuses it
            self.feed.drop()
        return piece != b"last"

    def hold_back(self, unread: int) -> None:
        self.is_held_back = True

    def let_in(self) -> None:
        self.is_held_back = False


def test_who_sends_little_is_read_between_those_who_are_slow_to_read() -> None:
    async def test() -> None:
        seconds, read = Seconds(), list[str]()
        feeding = Feeding(asyncio.get_running_loop(), seconds)
        slow = [Slow("slow", feeding, seconds, read) for _ in range(MANY)]
        for each in slow:
            each.feed.take(bytes(4 * PIECE_BYTES))
        honest = Slow("honest", feeding, seconds, read)
        honest.feed.take(b"a callback")
        at_once = len(read)

        turns = 0
        while any(each.is_held_back for each in [*slow, honest]):
            before = seconds.now
            await asyncio.sleep(0)
            turns += 1
            assert seconds.now - before <= TURN_SECONDS + 0.002, "a turn of the loop is long"

        assert at_once <= TURN_SECONDS / 0.001
        assert read.index("honest") <= at_once + 1
        assert turns >= MANY * 4 * 0.001 / TURN_SECONDS / 2
        for each in slow:
            assert b"".join(each.pieces) == bytes(4 * PIECE_BYTES)

    asyncio.run(test())


def test_what_is_quick_to_read_is_read_at_once_in_larger_and_larger_pieces() -> None:
    async def test() -> None:
        seconds = Seconds()
        feeding = Feeding(asyncio.get_running_loop(), seconds)
        quick = Slow("quick", feeding, Seconds(), [])

        quick.feed.take(bytes(1024 * KIB))

        assert not quick.is_held_back
        sizes = [len(piece) for piece in quick.pieces]
        assert sizes[:3] == [PIECE_BYTES, 2 * PIECE_BYTES, 4 * PIECE_BYTES]
        assert max(sizes) == LARGEST_PIECE
        assert sum(sizes) == 1024 * KIB

    asyncio.run(test())


def test_nothing_is_read_after_the_end() -> None:
    async def test() -> None:
        seconds = Seconds()
        ended = Slow("ended", Feeding(asyncio.get_running_loop(), seconds), seconds, [])
        ended.feed.take(bytes(2 * PIECE_BYTES))
        ended.feed.take(b"last")
        ended.feed.take(b"more")
        while ended.is_held_back:
            await asyncio.sleep(0)

        assert ended.pieces[-1] == b"last"
        assert ended.feed.unread == 0

    asyncio.run(test())


def test_bytes_that_wait_to_be_read_count_and_are_read_whole() -> None:
    """The clock of this loop says that everything takes a second."""

    async def test(case: Case) -> None:
        senders = [await case.client() for _ in range(4)]
        for sender in senders:
            sender.send(post(bytes(64 * KIB)))
        for sender in senders:
            _, _, body = await sender.answer()
            assert body == b"/post " + bytes(64 * KIB)
        await case.until(lambda: case.connections.unfinished.taken == 0)
        await one_more(senders[0])

    run(test, clock=partial(next, count()))


def test_there_is_no_room_for_more_bytes_that_wait_to_be_read() -> None:
    async def test(case: Case) -> None:
        sender = await case.client()
        sender.send(post(bytes(64 * KIB)))
        assert await sender.status() == 503

    run(test, PATIENT._replace(unfinished=32 * KIB), clock=partial(next, count()))


async def one_more(sender: Client) -> None:
    sender.send(get("/again"))
    assert await sender.status() == 200
