"""Streams that a proxy holds: what its requests are answered, and whose are not."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from api.serving.http1.incoming import Ends, Incoming
from tests.support.stores.deployment import Deployment
from tests.support.web.grip import KEY, signature
from tests.support.web.site import ADMIN, Site
from tests.support.web.streaming import Live, Reader, live

ENDS = Ends(("192.0.2.1", 1), ("192.0.2.2", 2))
OF_JOB, OF_AGENT = "/api/jobs/job-1/stream", "/api/agents/agent-1/stream"
Test = Callable[[Live], Coroutine[Any, Any, None]]


@pytest.fixture
def site(databases: Deployment) -> Site:
    """A site with a proxy that holds streams, and one job."""
    site = Site(databases, grip_control_uris=("http://127.0.0.1:9",), grip_key=KEY)
    site.register()
    return site


async def asked(served: Live, path: str, token: str = ADMIN, **headers: str) -> Reader:
    """Ask as the proxy does."""
    return await served.ask(path, token, **{"Grip_Sig": signature(), **headers})


def link_of(reader: Reader) -> str:
    """Return the path of the stream that the proxy is told to hold."""
    path = reader.headers["grip-link"].partition("<")[2].partition(">")[0]
    assert path.startswith("/api/held/")
    return path


def ids(reader: Reader) -> list[int]:
    """Return the ids of an answer's blocks with data."""
    blocks = reader.body.decode().split("\n\n")
    return [
        int(block.partition("id: ")[2].partition("\n")[0]) for block in blocks if "data: " in block
    ]


def test_the_proxy_is_told_to_hold_a_stream_after_what_the_reader_missed(site: Site) -> None:
    async def test(served: Live) -> None:
        reader = await asked(served, OF_JOB)
        assert reader.status == 200
        assert reader.headers["content-type"] == "text/event-stream"
        assert reader.headers["grip-hold"] == "stream"
        assert reader.headers["grip-keep-alive"] == r":\n\n; format=cstring; timeout=5"
        assert reader.headers["grip-link"].endswith("; rel=next; timeout=30")
        assert ids(reader) == [site.position]

        site.report("job-1", status="provisioning")
        more = await asked(served, link_of(reader), token="")
        assert ids(more) == [site.position]
        none = await asked(
            served, link_of(reader), "", Grip_Last=f"job-job-1; last-id={site.position}"
        )
        assert ids(none) == []
        assert none.headers["grip-hold"] == "stream"

    live(site, test)


@pytest.mark.parametrize("path", [OF_JOB, OF_AGENT])
def test_a_hold_never_goes_back_behind_what_the_reader_has_seen(site: Site, path: str) -> None:
    """The proxy would send again what follows the position that it is told."""

    async def test(served: Live) -> None:
        link = link_of(await asked(served, path))
        seen = site.position + 5
        channel = "job-job-1" if path == OF_JOB else "agent-agent-1"
        said = {
            b"grip-sig": signature().encode(),
            b"grip-last": f"{channel}; last-id={seen}".encode(),
        }
        answer = await served.front.answer(Incoming("GET", link.encode(), "1.1", said, b"", ENDS))
        assert answer.body == b""
        assert ("Grip-Channel", f"{channel}; prev-id={seen}") in answer.headers

    live(site, test)


def test_pages_follow_one_another_before_the_hold(site: Site) -> None:
    async def test(served: Live) -> None:
        for number in range(150):
            site.report("job-1", status="provisioning", note=str(number))
        reader = await asked(served, f"{OF_JOB}?after=0")
        assert len(ids(reader)) == 100
        assert "grip-hold" not in reader.headers
        assert "timeout" not in reader.headers["grip-link"]
        # The proxy still says what the hold before began with.
        rest = await asked(served, link_of(reader), "", Grip_Last="job-job-1; last-id=1")
        assert len(ids(rest)) == 51
        assert rest.headers["grip-hold"] == "stream"

    live(site, test)


def test_a_job_that_has_ended_is_not_held(site: Site) -> None:
    async def test(served: Live) -> None:
        first = site.position
        reader = await asked(served, OF_JOB)
        site.report("job-1", status="running")
        for path in (link_of(reader), f"{OF_JOB}?after={first}"):
            ended = await asked(served, path)
            assert ended.status == 200
            assert b"event: end\n" in ended.body
            assert "grip-hold" not in ended.headers
        assert (await asked(served, f"{OF_JOB}?after={site.position}")).status == 204
        seen = f"job-job-1; last-id={site.position}"
        again = await asked(served, link_of(reader), "", Grip_Last=seen)
        assert (again.status, again.body) == (200, b"")
        assert "grip-hold" not in again.headers

    live(site, test)


def test_a_stream_of_an_agent_is_held_after_its_job(site: Site) -> None:
    async def test(served: Live) -> None:
        reader = await asked(served, OF_AGENT)
        site.report("job-1", status="failed", error="boom")
        site.register("job-2")
        more = await asked(served, link_of(reader), "")
        assert ids(more) == [site.position - 1]
        assert ids(await asked(served, link_of(more), "")) == [site.position]

    live(site, test)


@pytest.mark.parametrize("given", [None, signature(b"another key of some length")])
def test_nobody_else_is_told_how_a_stream_is_held(site: Site, given: str | None) -> None:
    async def test(served: Live) -> None:
        headers = {} if given is None else {"Grip_Sig": given}
        reader = await served.ask(OF_JOB, **headers)
        assert reader.status == 200
        assert [name for name in reader.headers if name.startswith("grip-")] == []
        [block] = await reader.some(1)
        assert block.id == site.position
        held = await asked(served, OF_JOB)
        assert (await served.ask(link_of(held), **headers)).status == 404

    live(site, test)


@pytest.mark.parametrize("path", ["/api/held/x", "/api/held/", f"/api/held/{'A' * 2001}"])
def test_a_link_that_milepost_did_not_make_leads_nowhere(site: Site, path: str) -> None:
    async def test(served: Live) -> None:
        assert (await asked(served, path)).status == 404

    live(site, test)


def test_a_reader_who_may_not_read_is_refused_before_anything_is_held(site: Site) -> None:
    async def test(served: Live) -> None:
        assert (await asked(served, OF_JOB, "guessed")).status == 401
        stranger = site.token("read", user_id="somebody else")
        assert (await asked(served, OF_JOB, stranger)).status == 404
        assert (await asked(served, OF_JOB, site.token("write"))).status == 403

    live(site, test)


def test_a_held_stream_ends_when_its_token_does(site: Site) -> None:
    async def test(served: Live) -> None:
        reader = await asked(served, OF_JOB, site.token("read", name="page"))
        [token] = [each for each in site.services.tokens.all() if each.name == "page"]
        assert f"token-{token.id}" in reader.headers["grip-channel"]
        assert "grip-hold" in (await asked(served, link_of(reader), "")).headers
        site.services.tokens.revoke(token.id, "2026-01-01T00:00:00+00:00")
        ended = await asked(served, link_of(reader), "")
        assert (ended.status, ended.body) == (200, b"")
        assert "grip-hold" not in ended.headers

    live(site, test)


def test_a_head_is_no_stream_to_hold(site: Site) -> None:
    async def test(served: Live) -> None:
        reader = await served.ask(OF_JOB, method="HEAD", Grip_Sig=signature())
        assert reader.status == 200
        assert "grip-hold" not in reader.headers

    live(site, test)


def test_links_of_held_streams_have_the_prefix(databases: Deployment) -> None:
    site = Site(databases, grip_key=KEY, path_prefix="/milepost")
    site.register()

    async def test(served: Live) -> None:
        reader = await asked(served, f"/milepost{OF_JOB}")
        link = reader.headers["grip-link"].partition("<")[2].partition(">")[0]
        assert link.startswith("/milepost/api/held/")
        assert (await asked(served, link, "")).headers["grip-hold"] == "stream"

    live(site, test)
