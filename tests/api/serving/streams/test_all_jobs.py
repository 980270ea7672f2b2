"""The stream of all jobs: the whole log in its order, as far as the reader may see and wants it."""

from __future__ import annotations

import asyncio

from tests.support.connections import PATIENCE
from tests.support.site import Site
from tests.support.streaming import Live, live


def play(site: Site) -> list[tuple[int, str]]:
    """Let two users have jobs; return the position and the job of each event."""
    for step in ("vm_created", "ansible_started"):
        for job_id in ("job-a", "job-b", "nobody's"):
            site.report(job_id, status="provisioning", step=step)
    site.report("job-a", status="failed", error="boom")
    events = site.read("/api/events?limit=500")["events"]
    return [(each["position"], each["job_id"]) for each in events]


def registered(site: Site) -> None:
    site.register("job-a", "agent-a", "ada")
    site.register("job-b", "agent-b", "bob")


def test_a_stream_of_all_jobs_begins_with_the_next_event(database_site: Site) -> None:
    site = database_site
    registered(site)

    async def test(served: Live) -> None:
        reader = await served.ask("/api/stream")
        play(site)
        expected = play(site)[2:]
        blocks = await reader.some(len(expected))
        assert [(block.id, block.data["id"]) for block in blocks] == expected
        middle = expected[5][0]
        again = await served.ask("/api/stream", Last_Event_ID=str(middle))
        assert await again.some(len(expected) - 6) == blocks[6:]

    live(site, test)


def test_who_sees_few_of_all_jobs_resumes_behind_the_others_all_the_same(
    database_site: Site,
) -> None:
    site = database_site
    registered(site)

    async def test(served: Live) -> None:
        reader = await served.ask("/api/stream?agent_id=agent-b", Last_Event_ID="0")
        expected = [each for each in play(site) if each[1] == "job-b"]
        blocks = await reader.some(len(expected))
        assert [(block.id, block.data["id"]) for block in blocks] == expected
        last = blocks[-1].id
        assert last
        async with asyncio.timeout(PATIENCE):
            while reader.last_id == last:  # a beat tells of the others, without data
                assert await reader.piece() is not None

    live(site, test)


def test_a_token_of_a_user_sees_the_events_of_that_users_jobs(database_site: Site) -> None:
    site = database_site
    registered(site)
    token = site.token("read", user_id="ada")

    async def test(served: Live) -> None:
        watching = await served.ask("/api/stream", token)
        missed = await served.ask("/api/stream?after=0", token)
        expected = [each for each in play(site) if each[1] == "job-a"]
        for reader, known in ((watching, 1), (missed, 0)):
            found = await reader.some(len(expected) - known)
            assert [(block.id, block.data["id"]) for block in found] == expected[known:]

    live(site, test)


def test_a_filter_by_status_shows_the_events_after_which_a_job_has_it(memory_site: Site) -> None:
    site = memory_site
    registered(site)
    play(site)

    async def test(served: Live) -> None:
        reader = await served.ask("/api/stream?status=failed&after=0")
        [block] = await reader.some(1)
        assert (block.data["id"], block.data["error"]) == ("job-a", "boom")
        assert (await served.ask("/api/stream?sttaus=failed")).status == 400

    live(site, test)
