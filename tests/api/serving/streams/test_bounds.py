"""What streams may take of a server, who may watch, and how streams end."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from api import tokens
from api.serving.streams.audience import Bounds
from api.serving.streams.missed.pages import PAGE_BYTES
from api.serving.streams.stream import MOST_UNSENT
from api.sessions import LASTS, hash_of
from tests.support.web.connections import PATIENT
from tests.support.web.site import Site
from tests.support.web.streaming import Live, live

STREAMS = ("/api/jobs/job-1/stream", "/api/agents/agent-1/stream", "/api/stream")
STREAM, _, OF_ALL = STREAMS
LONG = 60_000
"""About the longest error that is stored whole."""
FEW, MANY = 20, 300
"""So many long errors are more than the system's buffers of a connection hold."""


def open_in(served: Live) -> int:
    return len(served.connections.open)


def test_a_reader_beyond_the_bound_is_told_when_to_come_again(memory_site: Site) -> None:
    memory_site.register()

    async def test(served: Live) -> None:
        readers = [await served.ask(STREAM) for _ in range(2)]
        answer = await served.ask(STREAM)
        assert answer.status == 503
        assert answer.headers["retry-after"] == "2"
        assert b"urn:milepost:problem:too-many-streams" in answer.body
        readers[0].client.reset()
        await served.until(lambda: open_in(served) == 2)
        assert (await served.ask(STREAM)).status == 200

    live(memory_site, test, bounds=Bounds(2, 0.2))


@pytest.mark.parametrize("by_link", [False, True])
def test_no_user_and_no_link_takes_the_streams_of_others(memory_site: Site, by_link: bool) -> None:
    site = memory_site
    site.register(user_id="ada")
    token = site.token("read", user_id="ada")
    until = int(site.clock().timestamp()) + 60
    link = site.services.links.make(STREAM, "admin", until)
    path = f"{STREAM}?link={link}" if by_link else STREAM

    async def test(served: Live) -> None:
        readers = [await served.ask(path, token) for _ in range(2)]
        assert [each.status for each in readers] == [200, 200]
        assert (await served.ask(path, token)).status == 429
        others = [await served.ask(STREAM) for _ in range(2)]
        assert [each.status for each in others] == [200, 200]
        readers[0].client.reset()
        others[0].client.reset()
        await served.until(lambda: open_in(served) == 3)  # with that of the refusal
        assert (await served.ask(path, token)).status == 200

    live(site, test, bounds=Bounds(4, 0.2))


def test_a_poll_beyond_a_users_share_of_streams_is_answered_at_once(memory_site: Site) -> None:
    memory_site.register(user_id="ada")
    token = memory_site.token("read", user_id="ada")

    async def test(served: Live) -> None:
        await served.ask(STREAM, token)
        tag = (await served.ask("/api/jobs/job-1", token)).headers["etag"]
        poll = await served.ask("/api/jobs/job-1", token, Prefer="wait=60", If_None_Match=tag)
        assert (poll.status, poll.headers.get("preference-applied")) == (304, None)

    live(memory_site, test, bounds=Bounds(2, 0.2))


def test_a_silent_stream_has_a_beat(memory_site: Site) -> None:
    memory_site.register()

    async def test(served: Live) -> None:
        reader = await served.ask(STREAM)
        await reader.next()
        while reader.comments < 3:
            assert await reader.piece() is not None
        memory_site.report(status="provisioning")
        assert [block.id for block in await reader.some(1)] == [2]

    live(memory_site, test)


def test_readers_that_close_make_room_before_the_next_beat(memory_site: Site) -> None:
    memory_site.register()

    async def test(served: Live) -> None:
        gone, reader = await served.ask(STREAM), await served.ask(STREAM)
        gone.client.writer.close()
        await served.until(lambda: open_in(served) == 1)
        memory_site.report(status="provisioning")
        assert [block.id for block in await reader.some(2)] == [1, 2]

    live(memory_site, test, bounds=Bounds(2, 3600))


def fail(site: Site, number: int) -> None:
    """Let another job fail, with a long error: one event."""
    site.report(f"job-{number}", status="failed", error=f"{number}" + "x" * LONG)


def test_a_reader_that_reads_nothing_holds_a_bounded_number_of_bytes_until_it_is_let_go(
    memory_site: Site,
) -> None:
    site = memory_site

    async def test(served: Live) -> None:
        slow, quick = await served.ask(OF_ALL), await served.ask(OF_ALL)
        slow.client.transport.pause_reading()
        seen: list[int | None] = []
        while open_in(served) > 1:
            for number in range(FEW):
                fail(site, len(seen) + number)
            seen += [block.id for block in await quick.some(FEW)]
            assert served.connections.unsent.taken <= MOST_UNSENT + 2 * PAGE_BYTES
        assert seen == list(range(1, len(seen) + 1))

    live(site, test, limits=PATIENT._replace(write=0.5))


def test_a_reader_that_pauses_reads_on_where_it_was(memory_site: Site) -> None:
    site = memory_site

    async def test(served: Live) -> None:
        slow, quick = await served.ask(OF_ALL), await served.ask(OF_ALL)
        slow.client.transport.pause_reading()
        for number in range(MANY):
            fail(site, number)
        await quick.some(MANY)
        assert served.connections.unsent.taken > 0
        slow.client.transport.resume_reading()
        assert [block.id for block in await slow.some(MANY)] == list(range(1, MANY + 1))

    live(site, test)


def test_a_long_story_waits_for_its_reader(memory_site: Site) -> None:
    """What somebody missed is read page by page: not before he has taken the page before."""
    site = memory_site
    for number in range(1, MANY + 1):
        fail(site, number)

    async def test(served: Live) -> None:
        reader = await served.ask(OF_ALL, Last_Event_ID="1")
        reader.client.transport.pause_reading()
        await asyncio.sleep(0.3)  # time enough to send all of it, if nothing stopped that
        assert 0 < served.connections.unsent.taken < 3 * PAGE_BYTES
        reader.client.transport.resume_reading()
        assert [block.id for block in await reader.some(MANY - 1)] == list(range(2, MANY + 1))

    live(site, test)


@pytest.mark.parametrize("path", STREAMS)
def test_a_stream_ends_soon_after_its_token_is_revoked(database_site: Site, path: str) -> None:
    site = database_site
    site.register()
    _, other = tokens.create(site.services.tokens, "other", ["read"], None, site.clock())
    token, text = tokens.create(site.services.tokens, "page", ["read"], None, site.clock())

    async def test(served: Live) -> None:
        revoked, going_on = await served.ask(path, text), await served.ask(path, other)
        site.services.tokens.revoke(token.id, tokens.stored_time(site.clock()))
        await revoked.rest()
        assert (await served.ask(path, text)).status == 401
        site.report(status="provisioning", step="vm_created")
        while block := await going_on.next():
            if block.id == 2:
                break
        assert block

    live(site, test)


def test_a_stream_ends_soon_after_its_token_has_expired(database_site: Site) -> None:
    site = database_site
    site.register()
    until = site.clock() + timedelta(minutes=5)
    _, text = tokens.create(site.services.tokens, "page", ["read"], None, site.clock(), until)

    async def test(served: Live) -> None:
        reader = await served.ask(STREAM, text)
        await reader.next()
        site.clock.advance(301)
        await reader.rest()

    live(site, test)


@pytest.mark.parametrize("path", STREAMS)
def test_a_stream_ends_soon_after_its_browser_has_signed_out(
    database_site: Site, path: str
) -> None:
    site = database_site
    site.register()
    cookie, other = site.sign_in(), site.sign_in()

    async def test(served: Live) -> None:
        ended = await served.ask(path, Cookie=cookie)
        going_on = await served.ask(path, Cookie=other)
        site.services.sessions.end(hash_of(cookie.partition("=")[2]))
        await ended.rest()
        assert (await served.ask(path, Cookie=cookie)).status == 401
        site.report(status="provisioning", step="vm_created")
        while block := await going_on.next():
            if block.id == 2:
                break
        assert block

    live(site, test)


def test_a_stream_of_a_session_ends_with_its_token(database_site: Site) -> None:
    site = database_site
    site.register()
    token, text = tokens.create(site.services.tokens, "page", ["read"], None, site.clock())
    cookie = site.sign_in(text)

    async def test(served: Live) -> None:
        reader = await served.ask(STREAM, Cookie=cookie)
        await reader.next()
        site.services.tokens.revoke(token.id, tokens.stored_time(site.clock()))
        await reader.rest()

    live(site, test)


def test_a_stream_ends_with_the_time_of_its_session(database_site: Site) -> None:
    site = database_site
    site.register()
    cookie = site.sign_in()

    async def test(served: Live) -> None:
        reader = await served.ask(STREAM, Cookie=cookie)
        await reader.next()
        site.clock.advance(LASTS.total_seconds())
        await reader.rest()

    live(site, test)


def link_to(site: Site, path: str, issuer: str, seconds: int) -> str:
    """Return the address of a stream for who has no token."""
    until = int(site.clock().timestamp()) + seconds
    return f"{path}?after=0&link={site.services.links.make(path, issuer, until)}"


@pytest.mark.parametrize("path", STREAMS)
def test_a_stream_by_link_ends_soon_after_the_link(database_site: Site, path: str) -> None:
    site = database_site
    site.register()
    short, long = (link_to(site, path, "admin", seconds) for seconds in (60, 3600))

    async def test(served: Live) -> None:
        ended, going_on = await served.ask(short), await served.ask(long)
        assert await ended.next()
        site.clock.advance(60)
        await ended.rest()
        assert (await served.ask(short)).status == 401
        site.report(status="provisioning", step="vm_created")
        while block := await going_on.next():
            if block.id == 2:
                break
        assert block

    live(site, test)


def test_a_stream_by_link_ends_soon_after_its_issuers_token_is_revoked(
    database_site: Site,
) -> None:
    site = database_site
    site.register()
    token, _ = tokens.create(site.services.tokens, "page", ["read"], None, site.clock())

    async def test(served: Live) -> None:
        reader = await served.ask(link_to(site, STREAM, token.id, 3600))
        assert await reader.next()
        site.services.tokens.revoke(token.id, tokens.stored_time(site.clock()))
        await reader.rest()

    live(site, test)


def test_a_token_of_a_user_watches_that_users_jobs_and_no_other(memory_site: Site) -> None:
    site = memory_site
    site.register()
    token = site.token("read", user_id="somebody-else")

    async def test(served: Live) -> None:
        for path in STREAMS[:2]:
            hidden, absent = await served.ask(path, token), await served.ask(path + "x", token)
            assert hidden.status == 404
            assert absent.status == 404
        assert (await served.ask(STREAM, "mp_0123456789ab_guessed")).status == 401

    live(site, test)


def test_a_server_that_ends_lets_every_reader_come_again_and_is_not_held_up(
    memory_site: Site,
) -> None:
    site = memory_site
    site.register()
    tag = site.get("/api/jobs/job-1").headers["ETag"]

    async def test(served: Live) -> None:
        readers = [await served.ask(path) for path in STREAMS]
        poll = await served.asking("/api/jobs/job-1", Prefer="wait=60", If_None_Match=tag)
        await served.until(lambda: open_in(served) == 4)
        await asyncio.sleep(0.1)  # the poll has no answer yet, by which one could see it wait
        served.front.finish()
        for reader in readers:
            reader.retry = None
            await reader.rest()
            assert reader.retry
        assert (await poll.begin()).status == 304
        late = await served.ask("/api/jobs/job-1", Prefer="wait=60", If_None_Match=tag)
        assert late.status == 304
        late.client.writer.close()
        poll.client.writer.close()
        await served.until(lambda: open_in(served) == 0)

    live(site, test)


def test_head_says_what_a_stream_is_and_streams_nothing(memory_site: Site) -> None:
    memory_site.register()

    async def test(served: Live) -> None:
        reader = await served.ask(STREAM, method="HEAD")
        assert reader.headers["content-type"] == "text/event-stream"
        assert await reader.client.ended() == b""
        assert (await served.ask(STREAM)).status == 200

    live(memory_site, test, bounds=Bounds(1, 0.2))
