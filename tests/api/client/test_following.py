"""Following a stream over everything that ends a connection."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice

import pytest

from api.client.following import Ended, Event, Following, Live, Lost, News
from api.client.server import LONGEST_ANSWER, NO_MILEPOST, NoServer, Refused, RemoteServer
from tests.support.web.scripted_http import HANGS, STREAM, Script, scripted

BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 7\r\nContent-Type: application/problem+json"
    b'\r\n\r\n{"detail": "Too many streams."}'
)
NOT_LIVE = Live(None)


def block(position: int, data: str = "{}") -> bytes:
    return f"id: {position}\ndata: {data}\n\n".encode()


def follow(script: Script, waits: list[float], quiet_seconds: float = 10.0) -> Iterator[News]:
    server = RemoteServer(script.url, "a-token")
    return iter(Following(server, "/api/jobs/job-1/stream", waits.append, quiet_seconds))


def test_a_stream_goes_on_after_the_last_id_and_after_the_pause_that_its_server_asks_for() -> None:
    waits: list[float] = []
    end = b'event: end\nid: 9\ndata: {"status": "running"}\n\n'
    turns = STREAM + b"retry: 1500\n\n" + block(7), STREAM + b"id: 8\n\n:\n\n", STREAM + end
    with scripted(*turns) as script:
        lost = Lost("the server has closed the stream", 1.5)

        assert list(follow(script, waits)) == [
            NOT_LIVE,
            Event(7, {}),
            lost,
            NOT_LIVE,
            lost,
            NOT_LIVE,
            Ended(9),
        ]

    assert waits == [1.5, 1.5]
    first, second, third = script.requests
    assert "Last-Event-ID" not in first
    assert "Authorization: Bearer a-token" in first
    assert "Last-Event-ID: 7\r\n" in second
    assert "Last-Event-ID: 8\r\n" in third


def test_a_job_that_has_ended_meanwhile_is_told_without_a_stream() -> None:
    gone = b"HTTP/1.1 204 No Content\r\n\r\n"
    with scripted(STREAM + block(7), gone) as script:
        *_, last = follow(script, [])

    assert last == Ended(7)


def test_a_busy_server_is_asked_again_when_it_wants_to_be() -> None:
    waits: list[float] = []
    with scripted(BUSY, BUSY, STREAM + HANGS) as script:
        told = list(islice(follow(script, waits), 3))

    assert told == [Lost("Too many streams.", 7.0)] * 2 + [NOT_LIVE]
    assert waits == [7.0, 7.0]


def test_pauses_grow_while_nobody_answers_and_are_short_again_afterwards() -> None:
    waits: list[float] = []
    bad = b"HTTP/1.1 502 Bad Gateway\r\n\r\n"
    with scripted(bad, bad, bad, bad, bad, STREAM + block(1), STREAM + HANGS) as script:
        list(islice(follow(script, waits), 8))

    assert waits == [2.0, 4.0, 8.0, 15.0, 15.0]
    with scripted(bad, STREAM + block(1), bad) as script:
        waits.clear()
        list(islice(follow(script, waits), 5))
    assert waits == [2.0, 2.0], "the stream told something in between"


def test_a_silent_connection_is_given_up() -> None:
    with scripted(STREAM + block(7) + HANGS, STREAM + HANGS) as script:
        live, told, lost = islice(follow(script, [], quiet_seconds=0.05), 3)

    assert (live, told) == (NOT_LIVE, Event(7, {}))
    assert lost == Lost("nothing came for 0.05 s", 2.0)


def test_a_server_that_never_answered_is_an_error_and_no_pause() -> None:
    with scripted() as script:
        pass

    with pytest.raises(NoServer, match="Connection refused"):
        next(follow(script, []))


def test_a_server_that_answered_once_may_be_away_for_any_time() -> None:
    waits: list[float] = []
    with scripted(BUSY) as script:
        news = follow(script, waits)
        assert next(news) == Lost("Too many streams.", 7.0)
    assert next(news) == Lost("Connection refused", 4.0)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 501])
def test_a_refusal_that_would_come_again_ends_it(status: int) -> None:
    answer = f'HTTP/1.1 {status} No\r\n\r\n{{"detail": "There is no job."}}'.encode()
    with scripted(STREAM + block(7), answer) as script:
        news = follow(script, [])
        list(islice(news, 3))
        with pytest.raises(Refused, match=r"There is no job\.") as refused:
            next(news)

    assert refused.value.status == status


def test_a_page_is_no_stream() -> None:
    page = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<p>It works!</p>"
    with scripted(page) as script, pytest.raises(NoServer, match=NO_MILEPOST):
        next(follow(script, []))


@pytest.mark.parametrize(
    "blocks", [b"data: {}\n\n", block(1, "[]"), block(1, "{"), b"id: one\ndata: {}\n\n"]
)
def test_a_stream_of_something_else_is_told_as_that(blocks: bytes) -> None:
    with scripted(STREAM + blocks, STREAM + HANGS) as script:
        _, lost = islice(follow(script, []), 2)

    assert lost == Lost(NO_MILEPOST, 2.0)


@pytest.mark.parametrize(
    "blocks",
    [
        b"id: 1\x85\ndata: {}\n\n",
        "id: ²\n\n".encode(),
        b"id: " + b"9" * 5_000 + b"\ndata: {}\n\n",
        b"id: 1\ndata: " + b"[" * 100_000 + b"\n\n",
        b"data: " + b"x" * 1_000_000 + b"\n" + (b"data: " + b"x" * 1_000_000 + b"\n") * 16,
    ],
)
def test_nothing_that_a_server_sends_breaks_what_follows_it(blocks: bytes) -> None:
    with scripted(STREAM + block(7) + blocks) as script:
        news = list(islice(follow(script, []), 3))

    assert news[:2] == [NOT_LIVE, Event(7, {})]
    assert news[2] == Lost(NO_MILEPOST, 2.0)


def test_an_odd_pause_is_passed_over() -> None:
    with scripted(STREAM + "retry: ²\n\n".encode() + block(7)) as script:
        assert list(islice(follow(script, []), 2)) == [NOT_LIVE, Event(7, {})]


def test_an_answer_without_end_is_no_mileposts() -> None:
    with scripted(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (LONGEST_ANSWER + 1)) as script:
        with pytest.raises(NoServer, match=NO_MILEPOST):
            RemoteServer(script.url, "a-token").ask("GET", "/api/jobs")


def test_the_servers_clock_comes_with_the_stream() -> None:
    dated = STREAM.replace(b"\r\n\r\n", b"\r\nDate: Fri, 27 Nov 2026 02:11:07 GMT\r\n\r\n")
    with scripted(dated + HANGS) as script:
        first = next(follow(script, []))

    assert first == Live(datetime(2026, 11, 27, 2, 11, 7, tzinfo=UTC))
