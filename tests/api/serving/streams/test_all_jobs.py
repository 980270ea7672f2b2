"""The stream of all jobs: the whole log in its order, as far as the reader may see and wants it."""

from __future__ import annotations

import asyncio

from tests.support.web.connections import PATIENCE
from tests.support.web.site import Site
from tests.support.web.streaming import Live, live


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


NAMED = "/api/stream?job_id=job-a&agent_id=agent-b&job_id=comes-later"


def test_one_stream_has_the_jobs_and_agents_that_are_named_and_no_other(
    database_site: Site,
) -> None:
    site = database_site
    registered(site)
    site.register("job-c", "agent-c", "cyd")

    async def test(served: Live) -> None:
        reader = await served.ask(NAMED)
        site.report("job-c", status="provisioning")
        expected = [each for each in play(site) if each[1] in ("job-a", "job-b")][2:]
        blocks = await reader.some(len(expected))
        assert [(block.id, block.data["id"]) for block in blocks] == expected
        assert {block.data["agent_id"] for block in blocks} == {"agent-a", "agent-b"}
        site.register("comes-later", "agent-d", "dan")
        site.report("job-b", status="running")
        site.register("next-of-b", "agent-b", "bob")
        found = await reader.some(3)
        assert [block.data["id"] for block in found] == ["comes-later", "job-b", "next-of-b"]

    live(site, test)


def test_a_stream_of_named_jobs_resumes_after_any_of_its_events(database_site: Site) -> None:
    site = database_site
    registered(site)

    async def test(served: Live) -> None:
        events = [each for each in play(site) if each[1] in ("job-a", "job-b")]
        for number, (position, _) in enumerate(events[:-1]):
            again = await served.ask(NAMED, Last_Event_ID=str(position))
            found = await again.some(len(events) - number - 1)
            assert [(block.id, block.data["id"]) for block in found] == events[number + 1 :]
        current = await served.ask(NAMED, Last_Event_ID=str(events[-1][0]))
        site.report("job-a", type="heartbeat")
        assert [block.data["id"] for block in await current.some(1)] == ["job-a"]

    live(site, test)


def test_who_missed_more_than_a_page_of_named_jobs_gets_all_of_it_in_order(
    memory_site: Site,
) -> None:
    site = memory_site
    registered(site)
    for _ in range(70):
        for job_id in ("job-a", "job-b", "nobody's"):
            site.report(job_id, type="heartbeat")
    expected = [
        (each["position"], each["job_id"])
        for each in site.read("/api/events?limit=500")["events"]
        if each["job_id"] != "nobody's"
    ]

    async def test(served: Live) -> None:
        reader = await served.ask(NAMED, Last_Event_ID="0")
        blocks = await reader.some(len(expected))
        assert [(block.id, block.data["id"]) for block in blocks] == expected

    live(site, test)


def test_a_job_is_its_agents_from_its_registration_on(memory_site: Site) -> None:
    site = memory_site
    site.report("job-b", status="provisioning")
    site.register("job-b", "agent-b", "bob")
    site.report("job-b", type="heartbeat")

    async def test(served: Live) -> None:
        reader = await served.ask("/api/stream?agent_id=agent-b&after=0")
        assert [block.data["version"] for block in await reader.some(2)] == [2, 3]

    live(site, test)


def test_a_named_job_of_another_user_is_not_shown(memory_site: Site) -> None:
    site = memory_site
    registered(site)
    token = site.token("read", user_id="bob")

    async def test(served: Live) -> None:
        watching = await served.ask(NAMED, token)
        missed = await served.ask(NAMED, token, Last_Event_ID="0")
        play(site)
        assert {block.data["id"] for block in await watching.some(2)} == {"job-b"}
        assert {block.data["id"] for block in await missed.some(3)} == {"job-b"}

    live(site, test)


def test_a_stream_names_a_hundred_ids_at_most(memory_site: Site) -> None:
    async def test(served: Live) -> None:
        jobs = "&".join(f"job_id={number}" for number in range(60))
        agents = "&".join(f"agent_id={number}" for number in range(40))
        assert (await served.ask(f"/api/stream?{jobs}&{agents}")).status == 200
        answer = await served.ask(f"/api/stream?{jobs}&{agents}&agent_id=one-more")
        assert answer.status == 400
        assert b"More than 100 ids." in answer.body
        assert (await served.ask("/api/stream?job_id=")).status == 400
        # The event loop reads no more of them than that.
        many = await served.ask(f"/api/stream?{'job_id=1&' * 257}")
        assert b"at most 256 parameters" in many.body

    live(memory_site, test)
