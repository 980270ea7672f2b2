"""The bounds that all clients of a worker share, and who makes way when one is reached."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import cast

import pytest

from api.http.callers.proxies import Proxies
from api.http.messages import Answer
from api.serving.http1.bounds.addresses import Addresses, site_of
from api.serving.http1.bounds.limits import RESERVED
from api.serving.http1.bounds.pace import LEAST_TAKEN
from api.serving.http1.bounds.turned_away import PAUSE_SECONDS, TurnedAway
from api.serving.http1.connection import Connection
from api.serving.http1.incoming import Ends, Incoming
from tests.support.web.connections import MANY, PATIENT, Case, Client, get, post, run

KIB = 1024


async def health_only(incoming: Incoming) -> Answer:
    """Answer as a server does that can do nothing else any more."""
    return Answer(200 if incoming.target == b"/livez" else 503)


async def asking(case: Case) -> Client:
    """Return a client whose request is under way."""
    before = len(case.asked)
    client = await case.client()
    client.send(get("/under-way"))
    await case.until(lambda: len(case.asked) > before)
    return client


async def in_body(case: Case) -> Client:
    """Return a client in the middle of a body."""
    client = await case.client()
    client.send(post(b"b", "Expect: 100-continue", length=4))
    assert await client.status() == 100
    return client


async def slow_reader(case: Case) -> Client:
    """Return a client that takes nothing of its answer."""
    before = case.connections.unsent.taken
    client = await case.client()
    client.transport.pause_reading()
    client.send(get("/large"))
    await case.until(lambda: case.connections.unsent.taken > before)
    return client


async def count(case: Case, connections: int) -> None:
    await case.until(lambda: len(case.connections.open) == connections)


def has_more(asked: list[Incoming], number: int) -> bool:
    return len(asked) > number


def holds_more(case: Case, size: int) -> bool:
    return case.connections.unfinished.taken > size


# Connections in all


def test_the_connection_that_was_silent_for_the_longest_makes_way_for_a_new_one() -> None:
    async def test(case: Case) -> None:
        clients = []
        for number in range(1, 4):
            clients.append(await case.client())
            await count(case, min(number, 2))
        assert await clients[0].ended() == b""
        for client in clients[1:]:
            client.send(get("/"))
            assert await client.status() == 200

    run(test, PATIENT._replace(connections=2))


def test_slow_bodies_make_way_after_silent_connections_and_slow_readers_after_those() -> None:
    async def test(case: Case) -> None:
        reader, body, silent = await slow_reader(case), await in_body(case), await case.client()
        await count(case, 3)
        case.may_answer.clear()
        for displaced in (silent, body, reader):
            await asking(case)
            assert len(case.connections.open) == 3
            displaced.transport.resume_reading()
            assert len(await displaced.ended()) < MANY
        case.may_answer.set()

    run(test, PATIENT._replace(connections=3))


def test_nobody_whose_request_is_under_way_makes_way_and_health_is_still_answered() -> None:
    async def test(case: Case) -> None:
        case.may_answer.clear()
        under_way = [await asking(case) for _ in range(2)]
        for path, status in (("/livez", 200), ("/other", 503)):
            extra = await case.client()
            extra.send(get(path))
            first, fields, _ = await extra.answer()
            assert (int(first.split()[1]), fields["connection"]) == (status, "close")
            assert await extra.ended() == b""
        case.may_answer.set()
        assert [await client.status() for client in under_way] == [200, 200]

    run(test, PATIENT._replace(connections=2), when_full=health_only)


def test_the_connections_kept_for_health_have_a_bound_too() -> None:
    asked: list[Incoming] = []
    may_answer = asyncio.Event()

    async def late(incoming: Incoming) -> Answer:
        asked.append(incoming)
        await may_answer.wait()
        return Answer(200)

    async def test(case: Case) -> None:
        case.may_answer.clear()
        await asking(case)
        for number in range(RESERVED):
            (await case.client()).send(get("/livez"))
            await case.until(partial(has_more, asked, number))
        refused = await case.client()
        first, fields, body = await refused.answer()
        assert first == "HTTP/1.1 503 Service Unavailable"
        assert (fields["connection"], fields["retry-after"]) == ("close", "2")
        assert b"urn:milepost:problem:too-many-connections" in body
        assert await refused.ended() == b""
        case.may_answer.set()
        may_answer.set()

    run(test, PATIENT._replace(connections=1), when_full=late)


# Connections of an address


def test_an_address_has_a_bound_of_its_own_and_is_free_again_when_a_connection_ends() -> None:
    async def test(case: Case) -> None:
        first, second = await case.client("127.0.0.2"), await case.client("127.0.0.2")
        await count(case, 2)
        refused = await case.client("127.0.0.2")
        assert await refused.status() == 503
        assert await refused.ended() == b""
        other = await case.client("127.0.0.3")
        for client in (first, other):
            client.send(get("/"))
            assert await client.status() == 200
        second.reset()
        await count(case, 2)
        again = await case.client("127.0.0.2")
        again.send(get("/"))
        assert await again.status() == 200

    run(test, PATIENT._replace(per_address=2))


def test_a_trusted_proxy_has_no_bound_of_its_own_and_never_makes_way() -> None:
    async def test(case: Case) -> None:
        proxied = [await case.client("127.0.0.2") for _ in range(3)]
        other = await case.client("127.0.0.3")
        await count(case, 4)
        newest = await case.client("127.0.0.4")
        assert await other.ended() == b""
        for client in (*proxied, newest):
            client.send(get("/"))
            assert await client.status() == 200

    limits = PATIENT._replace(per_address=1, connections=4)
    run(test, limits, proxies=Proxies(["127.0.0.2"]))


@pytest.mark.parametrize(
    ("client", "site"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3::4", "20010db800010002::/64"),
        ("2001:db8:1:2::", "20010db800010002::/64"),
        ("fe80::1%lo", "fe80000000000000::/64"),
    ],
)
def test_connections_count_together_by_address_or_by_network_of_ipv6(
    client: str, site: str
) -> None:
    assert site_of(client) == site.lstrip("0")


def test_an_address_without_connections_is_forgotten() -> None:
    addresses = Addresses(2, Proxies(["192.0.2.9"]))
    for client in ("192.0.2.1", "::ffff:192.0.2.1", "192.0.2.9"):
        assert addresses.admit(client)
    assert not addresses.admit("192.0.2.1")
    for client in ("192.0.2.9", "192.0.2.1", "192.0.2.1"):
        addresses.leave(client)
    assert len(addresses) == 0


def test_a_proxy_that_leaves_makes_no_room_for_others_of_its_network() -> None:
    addresses = Addresses(2, Proxies(["2001:db8::1"]))
    for client in ("2001:db8::1", "2001:db8::2", "2001:db8::3"):
        assert addresses.admit(client)
    addresses.leave("2001:db8::1")
    assert not addresses.admit("2001:db8::4")


# Bytes


def test_the_large_request_that_takes_the_longest_is_refused_when_there_is_no_room() -> None:
    """However many clients send at once: what is held of their requests has a bound."""

    async def test(case: Case) -> None:
        senders = [await case.client() for _ in range(4)]
        for number, sender in enumerate(senders):
            sender.send(post(bytes(16 * KIB), length=20 * KIB))
            await case.until(partial(holds_more, case, min(number + 1, 3) * 16 * KIB))
            assert case.connections.unfinished.taken <= 60 * KIB
        first, fields, body = await senders[0].answer()
        assert first == "HTTP/1.1 503 Service Unavailable"
        assert (fields["connection"], fields["retry-after"]) == ("close", "2")
        assert b"urn:milepost:problem:too-many-bytes" in body
        for sender in senders[1:]:
            sender.send(bytes(4 * KIB))
            assert await sender.status() == 200
        await case.until(lambda: case.connections.unfinished.taken == 0)

    run(test, PATIENT._replace(unfinished=60 * KIB))


def test_a_whole_request_keeps_its_room_until_it_is_answered() -> None:
    async def test(case: Case) -> None:
        case.may_answer.clear()
        whole = await case.client()
        whole.send(post(bytes(16 * KIB), length=20 * KIB))
        await case.until(lambda: case.connections.unfinished.taken > 0)
        whole.send(bytes(4 * KIB))
        await case.until(lambda: bool(case.asked))
        late = await case.client()
        late.send(post(bytes(16 * KIB), length=20 * KIB))
        assert await late.status() == 503
        small = await case.client()
        small.send(get("/small"))
        await case.until(lambda: len(case.asked) == 2)
        case.may_answer.set()
        assert [await client.status() for client in (whole, small)] == [200, 200]
        await case.until(lambda: case.connections.unfinished.taken == 0)

    run(test, PATIENT._replace(unfinished=30 * KIB))


def test_requests_that_wait_behind_another_one_are_counted_also_if_they_came_in_one_piece() -> None:
    async def test(case: Case) -> None:
        case.may_answer.clear()
        client = await asking(case)
        client.send(post(bytes(2 * KIB)) * 4)
        await case.until(lambda: case.connections.unfinished.taken > 8 * KIB)
        client.send(post(bytes(2 * KIB)) * 4)
        case.may_answer.set()
        assert [await client.status() for _ in range(9)] == [200] * 9
        await case.until(lambda: case.connections.unfinished.taken == 0)

    run(test)


def test_requests_that_wait_behind_another_one_are_refused_when_there_is_no_room() -> None:
    async def test(case: Case) -> None:
        case.may_answer.clear()
        client = await asking(case)
        client.send(post(bytes(2 * KIB)) * 4)
        [connection] = case.connections.open
        await case.until(lambda: not connection.reads_on)
        case.may_answer.set()
        answered = await client.ended()
        assert (answered.count(b"HTTP/1.1 200"), answered.count(b"HTTP/1.1 503")) == (4, 1)

    run(test, PATIENT._replace(unfinished=5 * KIB))


def test_the_slowest_reader_is_ended_when_there_is_no_room_for_answers() -> None:
    async def test(case: Case) -> None:
        first = await slow_reader(case)
        second = await case.client()
        second.send(get("/large"))
        async with asyncio.timeout(20):
            await second.reader.readuntil(b"\r\n\r\n")
            assert len(await second.reader.readexactly(MANY)) == MANY
        first.transport.resume_reading()
        assert len(await first.ended()) < MANY
        await case.until(lambda: case.connections.unsent.taken == 0)

    run(test, PATIENT._replace(unsent=MANY))


class Slow:
    """A transport to a client that takes what a test says."""

    def __init__(self) -> None:
        self.unsent = 0
        self.is_aborted = False

    def write(self, written: bytes) -> None:
        self.unsent += len(written)

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def abort(self) -> None:
        self.is_aborted = True

    def is_closing(self) -> bool:
        return self.is_aborted

    def set_write_buffer_limits(self, high: int) -> None:
        assert high < MANY


@pytest.mark.parametrize(("taken", "is_ended"), [(LEAST_TAKEN - 1, True), (LEAST_TAKEN, False)])
def test_a_client_that_takes_its_answer_in_tiny_bits_is_ended(taken: int, is_ended: bool) -> None:
    async def test(case: Case) -> None:
        slow = Slow()
        connections = case.connections
        connection = Connection(connections, case.answer, Ends(("192.0.2.1", 1), ("", 2)))
        connection.connection_made(cast(asyncio.Transport, slow))
        connection.data_received(get("/large"))
        await case.until(lambda: slow.unsent > 0)
        tick = connections.tick
        connection.look(tick)
        for _ in range(3):
            slow.unsent -= taken
            tick += connections.after(1) - connections.tick
            connection.look(tick)
        connection.connection_lost(None)
        assert slow.is_aborted == is_ended

    run(test, PATIENT._replace(write=1))


# What is said of it


def test_what_was_turned_away_is_logged_once_a_minute_and_not_once_each(
    caplog: pytest.LogCaptureFixture,
) -> None:
    turned_away = TurnedAway()
    turned_away.tell(0)
    for now in (1.0, 2.0, PAUSE_SECONDS, 1.0 + PAUSE_SECONDS):
        turned_away.note("per_address", f"192.0.2.{now:.0f}")
        turned_away.note("displaced", "192.0.2.9")
        turned_away.tell(now)

    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 4
    assert "MILEPOST_CONNECTIONS_PER_ADDRESS" in said[0]
    assert [line.rpartition(": ")[2] for line in said] == [
        "1, the last of 192.0.2.1",
        "1, the last of 192.0.2.9",
        "3, the last of 192.0.2.61",
        "3, the last of 192.0.2.9",
    ]
