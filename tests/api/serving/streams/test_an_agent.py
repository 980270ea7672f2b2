"""The stream of an agent: the instance of its newest job, whichever job that is."""

from __future__ import annotations

import pytest

from tests.support.web.site import MACHINE, Site
from tests.support.web.streaming import Live, live

STREAM = "/api/agents/agent-1/stream"


def newest(site: Site) -> int:
    """Return the newest position of the log."""
    return site.deployment.read_model.log.newest_position()


def play(site: Site) -> list[tuple[int, str, str]]:
    """Let an agent have three jobs, one after the other, and two of them talk late.

    Return what its stream shows: position, job and status.
    """
    shown: list[tuple[int, str, str]] = []

    def add(job_id: str, status: str) -> None:
        shown.append((newest(site), job_id, status))

    site.register("job-1")
    add("job-1", "pending")
    site.register("other", "agent-2", "user-2")
    site.report("job-1", status="provisioning", step="vm_created")
    add("job-1", "provisioning")
    site.report("job-2", type="heartbeat")  # before its registration: not yet the agent's
    site.report("job-1", status="failed", error="boom")
    add("job-1", "failed")
    site.register("job-2")
    add("job-2", "provisioning")
    site.report("job-1", type="heartbeat")  # late: the agent's newest job is another one
    site.report("other", status="provisioning")
    site.report("job-2", status="failed", error="bang")
    add("job-2", "failed")
    site.register("job-3")
    add("job-3", "pending")
    site.report("job-3", status="provisioning", step="vm_created")
    add("job-3", "provisioning")
    return shown


def test_an_agents_stream_goes_on_with_its_next_job(database_site: Site) -> None:
    site = database_site
    site.register("first")
    site.report("first", status="failed", error="boom")

    async def test(served: Live) -> None:
        reader = await served.ask(STREAM)
        [now] = await reader.some(1)
        assert now.data == site.instance()
        shown = play(site)
        blocks = await reader.some(len(shown))
        found = [
            (block.id, block.data["instance"]["id"], block.data["instance"]["status"])
            for block in blocks
        ]
        assert found == shown
        assert blocks[-1].data == site.instance()

    live(site, test)


@pytest.mark.parametrize("projects", [True, False])
def test_who_comes_again_misses_no_job_of_the_agent(database_site: Site, projects: bool) -> None:
    """From every position, whether the rows know the agent's jobs or the log alone does."""
    site = database_site
    shown = play(site)
    if projects:
        site.project()

    async def test(served: Live) -> None:
        for after in range(newest(site)):
            expected = [each for each in shown if each[0] > after]
            reader = await served.ask(STREAM, Last_Event_ID=str(after))
            found = [
                (block.id, block.data["instance"]["id"], block.data["instance"]["status"])
                for block in await reader.some(len(expected))
            ]
            assert found == expected, after
            reader.client.reset()
        site.report("job-3", status="running", **MACHINE)
        reader = await served.ask(STREAM, Last_Event_ID=str(shown[-1][0]))
        assert [block.data["instance"]["status"] for block in await reader.some(2)] == [
            "provisioning",
            "running",
        ]

    live(site, test)
