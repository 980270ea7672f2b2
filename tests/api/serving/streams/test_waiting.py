"""Long polls: with `Prefer: wait` and the ETag that it has, a client waits for the next state."""

from __future__ import annotations

import pytest

from api.http.waiting import MAX_WAIT_SECONDS, preferred_wait
from tests.support.web.site import MACHINE, Site
from tests.support.web.streaming import Live, live

PATHS = ("/api/jobs/job-1", "/api/agents/agent-1/instance")


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        (None, 0),
        ("wait=30", 30),
        ('respond-async, wait="10"', 10),
        ("Wait = 5; x=y", 5),
        ("wait=86400", MAX_WAIT_SECONDS),
        ("wait=" + "9" * 5_000, MAX_WAIT_SECONDS),
        ("wait=-1", 0),
        ("wait=²", 0),
        ("wait", 0),
        ("waiting=30", 0),
    ],
)
def test_a_preference_is_read_as_in_rfc_7240(given: str | None, seconds: int) -> None:
    assert preferred_wait({"Prefer": given}.get) == seconds


@pytest.mark.parametrize("path", PATHS)
def test_a_request_that_waits_is_answered_with_the_next_state(
    database_site: Site, path: str
) -> None:
    site = database_site
    site.register()
    tag = site.get(path).headers["ETag"]

    async def test(served: Live) -> None:
        waiting = await served.asking(path, Prefer="wait=60", If_None_Match=tag)
        beside = await served.ask(path)  # answered after the first one has begun to wait
        site.report(status="running", **MACHINE)
        assert (await waiting.begin()).status == 200
        assert waiting.headers["preference-applied"] == "wait=60"
        assert waiting.headers["etag"] != tag
        assert b'"running"' in waiting.body
        assert beside.status == 200
        assert "preference-applied" not in beside.headers

    live(site, test)


@pytest.mark.parametrize("path", PATHS)
def test_a_request_that_waits_in_vain_is_answered_304_in_time(site: Site, path: str) -> None:
    site.register()
    site.report(status="failed", error="the end of a job ends no wait")
    tag = site.get(path).headers["ETag"]

    async def test(served: Live) -> None:
        answer = await served.ask(path, Prefer="wait=1", If_None_Match=tag)
        assert answer.status == 304
        assert answer.headers["preference-applied"] == "wait=1"
        assert (await served.ask(path, Prefer="wait=1", If_None_Match='"old"')).status == 200

    live(site, test)


def test_behind_flask_nothing_waits(memory_site: Site) -> None:
    site = memory_site
    site.register()
    for path in PATHS:
        tag = site.get(path).headers["ETag"]
        answer = site.get(path, headers={"Prefer": "wait=60", "If-None-Match": tag})
        assert answer.status_code == 304
