"""The stream of a job: its state now, each state after, and its end; and how a reader resumes."""

from __future__ import annotations

from typing import Any

import pytest
from eventsourcing.persistence import StoredEvent

from api.serving.streams.missed.pages import EVENTS
from domain.job.events import HeartbeatReceived, JobEvent, StepReported
from domain.log.store import Append
from tests.support.web.site import MACHINE, Site, problem_of
from tests.support.web.streaming import Block, Live, live

STREAM = "/api/jobs/job-1/stream"
STEPS = ("vm_created", "network_configured", "ansible_started")


def history(site: Site, job_id: str = "job-1") -> list[tuple[int, int]]:
    """Return the position and the version of each event of a job, as its audit trail has them."""
    found: list[tuple[int, int]] = []
    while page := site.read(f"/api/jobs/{job_id}/events?limit=500&after={len(found)}")["events"]:
        found += [(each["position"], each["version"]) for each in page]
    return found


def append_steps(site: Site, count: int) -> None:
    """Append steps of a job to its first event, and after each fifth one an event of another job.

    It takes one transaction: hundreds of callbacks take seconds.
    """
    milepost, at = site.deployment.milepost, site.clock()
    rows = []
    for number in range(count):
        step = StepReported(recorded_at=at, step=f"step-{number % 7}")
        rows.append(milepost.mapper.to_stored_event(JobEvent("job-1", number + 2, step)))
        if number % 5 == 0:
            beat = JobEvent("job-2", number // 5 + 1, HeartbeatReceived(recorded_at=at))
            rows.append(milepost.mapper.to_stored_event(beat))
    milepost.store.transact({}, [], lambda _: Append(rows))
    site.project()


def read(blocks: list[Block]) -> list[tuple[int | None, Any]]:
    """Return the id and the version of each block."""
    return [(block.id, block.data["version"]) for block in blocks]


def test_a_stream_begins_with_the_job_as_it_is_and_goes_on_with_each_event(
    database_site: Site,
) -> None:
    site = database_site
    site.register()
    site.report(status="provisioning", step="vm_created")
    before = len(history(site))

    async def test(served: Live) -> None:
        reader = await served.ask(STREAM)
        assert reader.status == 200
        assert reader.headers["content-type"] == "text/event-stream"
        assert reader.headers["cache-control"] == "no-store"
        assert reader.headers["x-accel-buffering"] == "no"
        assert "content-length" not in reader.headers
        [now] = await reader.some(1)
        assert now.data == site.job()
        assert reader.retry
        for step in STEPS:
            site.report(status="provisioning", step=step)
            [block] = await reader.some(1)
            assert block.data == site.job()
        assert block.id == history(site)[-1][0]

    live(site, test)
    assert len(history(site)) == before + len(STEPS)


def test_a_callback_of_two_facts_is_two_events_in_the_order_of_the_log(
    database_site: Site,
) -> None:
    site = database_site
    site.register()

    async def test(served: Live) -> None:
        reader = await served.ask(STREAM)
        await reader.next()
        site.report(status="running", **MACHINE)
        assert read(await reader.some(2)) == history(site)[1:]

    live(site, test)


@pytest.mark.parametrize("by_header", [True, False])
@pytest.mark.parametrize("seen", [0, 1, 2, EVENTS, 2 * EVENTS + 40])
def test_a_reader_that_comes_again_gets_each_event_that_it_missed_once(
    site: Site, seen: int, by_header: bool
) -> None:
    """Also more of them than fit on a page, and events of other jobs between."""
    site.report(status="provisioning")
    append_steps(site, 2 * EVENTS + 50)
    expected = history(site)
    after = expected[seen - 1][0] if seen else 0

    async def test(served: Live) -> None:
        if by_header:
            reader = await served.ask(f"{STREAM}?after=1", Last_Event_ID=str(after))
        else:
            reader = await served.ask(f"{STREAM}?after={after}")
        assert read(await reader.some(len(expected) - seen)) == expected[seen:]
        site.report(status="provisioning", step="vm_created")
        assert read(await reader.some(1)) == history(site)[-1:]

    live(site, test)


def test_what_is_read_again_is_what_was_told_live(database_site: Site) -> None:
    """Byte for byte: the state of each event has the health that it had then."""
    site = database_site
    site.register()
    long = "x" * 60_000

    async def test(served: Live) -> None:
        watching = await served.ask(STREAM)
        first = await watching.next()
        for step in STEPS:
            site.clock.advance(300)
            site.report(status="provisioning", step=step)
        site.report(status="failed", error=long, failed_step="ansible_started")
        told = await watching.rest()
        assert first
        again = await served.ask(STREAM, Last_Event_ID=str(first.id))
        assert await again.rest() == told
        assert told[-2].data["error"] == long

    live(site, test)


def test_the_end_of_a_job_is_said_and_who_has_seen_it_is_asked_not_to_come_again(
    database_site: Site,
) -> None:
    site = database_site
    site.register()

    async def test(served: Live) -> None:
        reader = await served.ask(STREAM)
        site.report(status="running", **MACHINE)
        *_, last, end = await reader.rest()
        assert last.data["status"] == "running"
        assert end == Block(last.id, {"status": "running", "outcome": "running"}, "end")
        assert (await served.ask(STREAM, Last_Event_ID=str(end.id))).status == 204

        late = await served.ask(STREAM)
        assert [block.event for block in await late.rest()] == ["message", "end"]
        missed = await served.ask(STREAM, Last_Event_ID=str(history(site)[0][0]))
        assert [block.id for block in await missed.rest()] == [
            *(position for position, _ in history(site)[1:]),
            last.id,
        ]

        site.report(type="heartbeat")  # a late word, after the end
        again = await served.ask(STREAM, Last_Event_ID=str(end.id))
        assert again.status == 200
        assert [block.event for block in await again.rest()] == ["message", "end"]

    live(site, test)


def test_a_job_that_is_retried_streams_again(database_site: Site) -> None:
    site = database_site
    site.register()
    site.report(status="failed", error="boom")
    end = history(site)[-1][0]

    async def test(served: Live) -> None:
        assert (await served.ask(STREAM, Last_Event_ID=str(end))).status == 204
        site.ordered("retry")
        reader = await served.ask(STREAM, Last_Event_ID=str(end))
        [retried] = await reader.some(1)
        assert retried.data["attempt"] == 2
        site.report(status="provisioning", step="vm_created")
        assert (await reader.some(1))[0].data["current_step"] == "vm_created"

    live(site, test)


def test_an_event_that_cannot_be_read_is_told_with_the_job_as_it_was(memory_site: Site) -> None:
    site = memory_site
    site.register()
    unreadable = StoredEvent("job-1", 2, "Unheard", b"{}")

    async def test(served: Live) -> None:
        reader = await served.ask(STREAM)
        [before] = await reader.some(1)
        site.deployment.milepost.recorder.insert_events([unreadable])
        [after] = await reader.some(1)
        moved = {"version": 2, "position": 2}
        assert after == Block(2, {**before.data, **moved})

    live(site, test)


@pytest.mark.parametrize("given", ["abc", "-1", "1.5", "9" * 19, "²"])
def test_what_is_no_position_is_refused(memory_site: Site, given: str) -> None:
    memory_site.register()

    async def test(served: Live) -> None:
        answer = await served.ask(STREAM, Last_Event_ID=given)
        assert answer.status == 400
        assert b"Last-Event-ID" in answer.body

    live(memory_site, test)


def test_an_id_with_slashes_is_streamed_and_one_that_ends_like_a_stream_is_shown(
    memory_site: Site,
) -> None:
    site = memory_site
    site.register("team/job")
    site.register("job-2/stream", "agent-2", "user-2")

    async def test(served: Live) -> None:
        reader = await served.ask("/api/jobs/team/job/stream")
        assert (await reader.some(1))[0].data["id"] == "team/job"
        shown = await served.ask("/api/jobs/job-2/stream")
        assert b'"id":"job-2/stream"' in shown.body

    live(site, test)


def test_behind_flask_a_stream_is_refused_in_words(memory_site: Site) -> None:
    memory_site.register()
    for path in (STREAM, "/api/agents/agent-1/stream", "/api/stream"):
        found = problem_of(memory_site.get(path), 501, "no-streams")
        assert "If-None-Match" in found["detail"]
