"""A connection, over real sockets: what a client sends, and what it gets."""

from __future__ import annotations

import asyncio
import socket

import pytest

from api.http.bodies import MAX_BODY_BYTES
from api.serving.http1.connection import MAX_PIPELINED
from api.serving.http1.reading import (
    MAX_AROUND_BODY,
    MAX_FIELDS,
    MAX_HEAD_BYTES,
    MAX_PATH_BYTES,
)
from api.serving.http1.targets import target_of
from tests.support.web.connections import LONG, MANY, PATIENCE, QUICK, Case, Client, get, post, run

CHUNKED = b"POST /post HTTP/1.1\r\nHost: milepost\r\nTransfer-Encoding: chunked\r\n\r\n"


def coded(codings: str) -> bytes:
    """Return a request whose body has these transfer codings."""
    return CHUNKED.replace(b"chunked", codings.encode()) + b"0\r\n\r\n"


def chunk(body: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(body), body)


def test_requests_one_after_the_other_are_answered_on_one_connection() -> None:
    async def test(case: Case) -> None:
        client = await case.client()
        for number in range(3):
            client.send(post(b"body %d" % number))
            first, fields, body = await client.answer()
            assert (first, body) == ("HTTP/1.1 200 OK", b"/post body %d" % number)
            assert {"date", "content-length"} <= fields.keys()
            assert "connection" not in fields

    run(test)


def test_a_request_that_comes_byte_by_byte_is_the_same_request() -> None:
    async def test(case: Case) -> None:
        client = await case.client()
        for byte in post(b"body", "X-Signature: abc"):
            client.send(bytes([byte]))
            await client.writer.drain()
        assert (await client.answer())[2] == b"/post body"
        assert case.asked[0].header("x-SIGNATURE") == "abc"
        assert case.asked[0].method == "POST"

    run(test)


def test_pipelined_requests_are_answered_in_their_order() -> None:
    async def test(case: Case) -> None:
        client = await case.client()
        client.send(b"".join(get(f"/{number}") for number in range(MAX_PIPELINED)))
        bodies = [(await client.answer())[2] for _ in range(MAX_PIPELINED)]
        assert bodies == [b"/%d " % number for number in range(MAX_PIPELINED)]

    run(test)


def test_too_many_pipelined_requests_end_the_connection_after_some_answers() -> None:
    async def test(case: Case) -> None:
        client = await case.client()
        client.send(b"".join(get(f"/{number}") for number in range(1000)))
        answers = await client.ended()
        answered = answers.count(b"HTTP/1.1 200 OK")
        assert MAX_PIPELINED <= answered <= MAX_PIPELINED + 2
        assert len(case.asked) == answered

    run(test)


def test_a_client_that_closes_its_sending_side_gets_its_answer() -> None:
    async def test(case: Case) -> None:
        case.may_answer.clear()
        client = await case.client()
        client.send(post(b"body"))
        client.writer.write_eof()
        await case.until(lambda: bool(case.asked))
        await asyncio.sleep(0)
        case.may_answer.set()
        assert (await client.answer())[2] == b"/post body"
        assert await client.ended() == b""

    run(test)


def test_a_request_whose_client_is_gone_knows_it() -> None:
    async def test(case: Case) -> None:
        case.may_answer.clear()
        client = await case.client()
        client.send(get("/a"))
        await case.until(lambda: bool(case.asked))
        assert not case.asked[0].is_gone
        client.reset()
        await case.until(lambda: case.asked[0].is_gone)
        case.may_answer.set()

    run(test)


REFUSED = {
    "no HTTP": (b"hello\r\n\r\n", 400),
    "chunks in HTTP/1.0": (coded("chunked").replace(b"HTTP/1.1", b"HTTP/1.0"), 400),
    "a tunnel": (get("/").replace(b"GET", b"CONNECT"), 501),
    "a version after 1.1": (get("/").replace(b"1.1", b"2.0"), 505),
    "a version before 1.0": (b"GET / HTTP/0.9\r\n\r\n", 505),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "two lengths": (post(b"body", "Content-Length: 5"), 400),
    "a length and chunks": (post(b"body", "Transfer-Encoding: chunked"), 400),
    "no host": (b"GET / HTTP/1.1\r\n\r\n", 400),
    "two hosts": (get("/", "Host: milepost"), 400),
    "chunks within another coding": (coded("chunked, gzip"), 400),
    "chunks after another coding": (coded("gzip, chunked"), 400),
    "chunks twice": (coded("chunked, chunked"), 400),
    "a negative length": (post(b"", length=-1), 400),
    "a chunk without a size": (CHUNKED + b"x\r\n", 400),
    "a header without a name": (get("/", ": x"), 400),
    "a large body": (post(b"", length=MAX_BODY_BYTES + 1), 413),
    "an enormous length": (post(b"", length=10**15), 413),
    "a large body in chunks": (CHUNKED + chunk(bytes(MAX_BODY_BYTES)) + chunk(b"x"), 413),
    "endless trailers": (CHUNKED + b"0\r\n" + b"X: x\r\n" * MAX_AROUND_BODY, 431),
    "an endless trailer": (CHUNKED + b"0\r\nX: " + b"x" * (2 * MAX_AROUND_BODY), 413),
    "a large head": (get("/", "X-Large: " + "x" * MAX_HEAD_BYTES), 431),
    "the same header many times": (get("/", *["X-Many: x"] * (MAX_FIELDS + 2)), 431),
    "many headers": (get("/", *[f"X-{n}: x" for n in range(MAX_FIELDS + 1)]), 431),
    "many headers of a head that has not ended": (
        get("/", *[f"X-{n}: x" for n in range(MAX_FIELDS + 2)])[:-4],
        431,
    ),
    "a large head that has not ended": (b"GET / HTTP/1.1\r\nX: " + b"x" * 2**17, 431),
    "a long path": (get("/" + "x" * MAX_PATH_BYTES), 414),
    "a long address": (get("/?" + "x" * MAX_HEAD_BYTES), 414),
}


@pytest.mark.parametrize(("sent", "status"), REFUSED.values(), ids=REFUSED)
def test_what_is_malformed_or_too_large_is_refused_and_ends_the_connection(
    sent: bytes, status: int
) -> None:
    async def test(case: Case) -> None:
        client = await case.client()
        client.send(get("/before"), sent)
        assert await client.status() == 200
        first, fields, body = await client.answer()
        assert int(first.split()[1]) == status
        assert fields["connection"] == "close"
        assert fields["content-type"] == "application/problem+json"
        assert b"urn:milepost:problem:" in body
        assert await client.ended() == b""
        assert len(case.asked) == 1

    run(test)


def test_a_refused_client_that_goes_on_sending_can_read_why() -> None:
    """To close with unread bytes resets a connection, and its client may lose the answer."""

    async def test(case: Case) -> None:
        client = await case.client()
        client.send(post(b"", length=MANY))
        for _ in range(16):
            client.send(bytes(MANY // 16))
            await client.writer.drain()
        assert await client.status() == 413

    run(test)


def test_a_body_is_sent_after_100_continue() -> None:
    async def test(case: Case) -> None:
        client = await case.client()
        client.send(post(b"", "Expect: 100-continue", length=4))
        assert await client.status() == 100
        client.send(b"body")
        assert (await client.answer())[2] == b"/post body"

    run(test)


@pytest.mark.parametrize(
    ("version", "fields", "connection"),
    [
        ("1.1", ["Connection: close"], "close"),
        ("1.0", [], "close"),
        ("1.0", ["Connection: keep-alive"], "keep-alive"),
    ],
)
def test_a_connection_is_kept_as_its_client_wants(
    version: str, fields: list[str], connection: str
) -> None:
    async def test(case: Case) -> None:
        client = await case.client()
        client.send(get("/", *fields).replace(b"HTTP/1.1", f"HTTP/{version}".encode()))
        assert (await client.answer())[1]["connection"] == connection
        if connection == "close":
            assert await client.ended() == b""
        else:
            client.send(get("/again"))
            assert (await client.answer())[2] == b"/again "

    run(test)


def test_a_request_of_http_1_0_need_not_name_its_host() -> None:
    async def test(case: Case) -> None:
        client = await case.client()
        client.send(b"GET / HTTP/1.0\r\n\r\n")
        assert await client.status() == 200

    run(test)


def test_the_name_of_a_coding_may_be_in_upper_case() -> None:
    async def test(case: Case) -> None:
        client = await case.client()
        client.send(coded("Chunked"))
        assert await client.status() == 200

    run(test)


@pytest.mark.parametrize("upgrade", ["h2c", "websocket"])
def test_no_other_protocol_is_spoken(upgrade: str) -> None:
    async def test(case: Case) -> None:
        client = await case.client()
        client.send(get("/", "Connection: Upgrade", f"Upgrade: {upgrade}"), bytes(9))
        assert await client.status() == 200
        assert await client.ended() == b""
        assert len(case.asked) == 1

    run(test)


@pytest.mark.parametrize("expects", [[], ["Expect: 100-continue"]])
def test_a_request_that_asks_for_another_protocol_keeps_its_body(expects: list[str]) -> None:
    """As clients send it that would rather speak HTTP/2, such as Java's, with every request."""

    async def test(case: Case) -> None:
        upgrade = ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAA"]
        for chunked in (False, True):
            client = await case.client()
            if chunked:
                head = CHUNKED[:-2] + "\r\n".join([*upgrade, *expects, "", ""]).encode()
                client.send(head, chunk(b"bo"), chunk(b"dy") + b"0\r\n\r\n", get("/after"))
            else:
                client.send(post(b"bo", *upgrade, *expects, length=4), b"dy", get("/after"))
            if expects:
                assert await client.status() == 100
            assert (await client.answer())[2] == b"/post body"
            assert await client.ended() == b""
        assert len(case.asked) == 2

    run(test)


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        ("/a/b?c=d%20e", b"/a/b", b"c=d%20e"),
        ("/a%2Fb%c3%bc", b"/a/b\xc3\xbc", b""),
        ("//a?", b"//a", b""),
        ("http://milepost/a?b", b"/a", b"b"),
        ("http://milepost", b"/", b""),
        ("*", b"*", b""),
    ],
)
def test_a_target_has_a_path_and_a_query(target: str, path: bytes, query: bytes) -> None:
    async def test(case: Case) -> None:
        client = await case.client()
        method = b"OPTIONS" if target == "*" else b"GET"
        client.send(get(target).replace(b"GET", method))
        assert await client.status() == 200
        assert target_of(case.asked[0].target)[:2] == (path, query)

    run(test)


def test_a_header_that_comes_twice_is_one_with_a_comma() -> None:
    async def test(case: Case) -> None:
        client = await case.client()
        client.send(get("/", "X-Signature: a", "x-signature: b", "X-Other: \u00e9"))
        assert await client.status() == 200
        assert case.asked[0].header("X-Signature") == "a,b"
        assert case.asked[0].header("X-Other") == "\u00c3\u00a9"
        assert case.asked[0].header("X-Absent") is None

    run(test)


def test_a_body_may_come_in_chunks_and_its_trailers_are_no_headers() -> None:
    async def test(case: Case) -> None:
        client = await case.client()
        client.send(CHUNKED, *(chunk(bytes([byte])) for byte in b"body"))
        client.send(b"0\r\nX-Signature: forged\r\n\r\n", get("/after"))
        assert (await client.answer())[2] == b"/post body"
        assert await client.status() == 200
        assert case.asked[0].header("X-Signature") is None

    run(test)


def test_a_header_of_an_answer_cannot_become_two() -> None:
    async def test(case: Case) -> None:
        client = await case.client()
        client.send(get("/broken"))
        first, fields, _ = await client.answer()
        assert first == "HTTP/1.1 500 Internal Server Error"
        assert "x-forged" not in fields

    run(test)


def head(path: str, *fields: str) -> bytes:
    return get(path, *fields).replace(b"GET", b"HEAD", 1)


def bodies_of(answers: bytes) -> list[bytes]:
    """Return what follows each head in the answers of a connection that has ended."""
    return [answer.partition(b"\r\n\r\n")[2] for answer in answers.split(b"HTTP/1.1 ")[1:]]


def test_an_answer_to_head_has_a_length_and_no_body() -> None:
    async def test(case: Case) -> None:
        client = await case.client()
        client.send(head("/a"), head("/broken"), get("/b", "Connection: close"))
        answers = await client.ended()
        assert b"content-length: 3\r\n" in answers[: answers.index(b"HTTP/1.1 500")]
        assert bodies_of(answers) == [b"", b"", b"/b "]

    run(test)


@pytest.mark.parametrize(
    "refused", [head("/", "X-Large: " + "x" * MAX_HEAD_BYTES), head("/" + "x" * MAX_HEAD_BYTES)]
)
def test_a_refusal_of_head_has_no_body(refused: bytes) -> None:
    async def test(case: Case) -> None:
        client = await case.client()
        client.send(get("/before"), refused)
        answers = await client.ended()
        assert b"HTTP/1.1 4" in answers
        assert bodies_of(answers) == [b"/before ", b""]

    run(test)


def test_a_refusal_of_what_follows_head_has_a_body() -> None:
    async def test(case: Case) -> None:
        client = await case.client()
        client.send(head("/before"), b"\0\r\n\r\n")
        before, refusal = bodies_of(await client.ended())
        assert before == b""
        assert b"urn:milepost:problem:bad-request" in refusal

    run(test)


# Deadlines


def test_a_connection_that_sends_no_head_is_ended() -> None:
    async def test(case: Case) -> None:
        silent, slow, idle = [await case.client() for _ in range(3)]
        slow.send(b"GET / HTTP/1.1\r\n")
        idle.send(get("/"))
        assert await idle.status() == 200
        for client in (silent, slow, idle):
            assert await client.ended() == b""

    run(test, QUICK)


def test_a_body_that_does_not_come_in_time_is_a_408() -> None:
    async def test(case: Case) -> None:
        client = await case.client()
        client.send(post(b"b", length=4))
        first, fields, _ = await client.answer()
        assert (first, fields["connection"]) == ("HTTP/1.1 408 Request Timeout", "close")
        assert await client.ended() == b""
        assert case.asked == []

    run(test, QUICK)


async def paused_within(case: Case, last: bytes) -> Client:
    """Return a client of whom nothing is read while it waits for two answers."""
    case.may_answer.clear()
    client = await case.client()
    client.send(get("/a") + get("/b") + last)
    await case.until(lambda: bool(case.asked))
    return client


async def long_after(case: Case) -> None:
    """Let more time pass than any client may take."""
    case.connections.tick += 10 * round(LONG)
    seen = case.connections.tick
    await case.until(lambda: case.connections.tick > seen + 1)


async def answered_twice(case: Case, client: Client) -> None:
    case.may_answer.set()
    assert [(await client.answer())[2] for _ in range(2)] == [b"/a ", b"/b "]


def test_no_time_of_a_body_passes_while_the_server_does_not_read() -> None:
    async def test(case: Case) -> None:
        client = await paused_within(case, post(b"b", length=4))
        await long_after(case)
        await answered_twice(case, client)
        client.send(b"ody")
        assert (await client.answer())[2] == b"/post body"

    run(test)


def test_a_body_has_its_time_once_the_server_reads_again() -> None:
    async def test(case: Case) -> None:
        client = await paused_within(case, post(b"b", length=4))
        await answered_twice(case, client)
        await long_after(case)
        assert await client.status() == 408

    run(test)


def test_a_client_that_is_refused_while_the_server_does_not_read_can_read_why() -> None:
    async def test(case: Case) -> None:
        client = await paused_within(case, post(b"", length=MANY))
        await long_after(case)
        await answered_twice(case, client)
        client.send(bytes(MANY))
        assert await client.status() == 413
        client.writer.close()
        await case.until(lambda: not case.connections.open)

    run(test)


def test_a_client_that_takes_no_byte_of_its_answer_is_ended() -> None:
    async def test(case: Case) -> None:
        client = await case.client()
        client.transport.pause_reading()
        client.send(get("/large"))
        await case.until(lambda: bool(case.asked))
        await case.until(lambda: not case.connections.open)

    run(test, QUICK)


def test_a_slow_client_that_takes_some_bytes_gets_them_all() -> None:
    async def test(case: Case) -> None:
        client = await case.client()
        client.send(get("/large"))
        left = MANY
        async with asyncio.timeout(PATIENCE):
            await client.reader.readuntil(b"\r\n\r\n")
            while left:
                left -= len(await client.reader.readexactly(MANY // 8))
                await asyncio.sleep(0.2)  # longer, all together, than a client may take no byte

    run(test, QUICK._replace(idle=LONG))


def test_a_client_that_reads_nothing_is_not_answered_without_end() -> None:
    async def test(case: Case) -> None:
        client = await case.client()
        client.transport.pause_reading()
        client.send(get("/large") * 8)
        await case.until(lambda: bool(case.asked))
        await asyncio.sleep(0.1)
        assert len(case.asked) == 1

    run(test)


# The end


def test_the_end_waits_for_requests_under_way_and_for_no_idle_connection() -> None:
    async def test(case: Case) -> None:
        case.may_answer.clear()
        idle, asking, sending = [await case.client() for _ in range(3)]
        asking.send(get("/asked"))
        sending.send(post(b"b", length=4))
        await case.until(lambda: len(case.connections.open) == 3 and bool(case.asked))
        case.is_draining = True
        end = asyncio.ensure_future(case.connections.end(PATIENCE))
        assert await idle.ended() == b""
        case.may_answer.set()
        sending.send(b"ody")
        for client, body in ((asking, b"/asked "), (sending, b"/post body")):
            _, fields, answered = await client.answer()
            assert (fields["connection"], answered) == ("close", body)
        await end
        with pytest.raises(ConnectionRefusedError):
            await case.client()

    run(test)


def test_the_end_answers_what_has_arrived_at_the_port_before_it() -> None:
    """The system has taken these connections; to close the port would reset them."""

    async def test(case: Case) -> None:
        known = socket.create_connection(("127.0.0.1", case.port))
        await case.until(lambda: len(case.connections.open) == 1)
        case.is_draining = True
        # The loop does not run meanwhile, as while it makes a large answer.
        new = [socket.create_connection(("127.0.0.1", case.port)) for _ in range(100)]
        for number, client in enumerate([known, *new]):
            client.sendall(get(f"/{number}"))

        await case.connections.end(PATIENCE)

        for number, client in enumerate([known, *new]):
            with client, client.makefile("rb") as answer:
                assert answer.read().endswith(f"/{number} ".encode())

    run(test)
