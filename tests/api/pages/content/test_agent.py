"""The page of an agent, and the views without the rest of a page."""

from __future__ import annotations

import pytest

from tests.support.web.site import MACHINE, Site


def test_an_agent_has_its_newest_job_and_its_earlier_ones(database_site: Site) -> None:
    site = database_site
    for number in ("1", "2"):
        site.register(f"job-{number}")
        site.report(f"job-{number}", status="running", **MACHINE)
    site.project()

    text = site.get("/agents/agent-1").text

    newest, earlier = text.split("Its jobs, the newest first")
    assert 'href="/jobs/job-2"' in newest
    assert 'href="/jobs/job-1"' not in newest
    assert earlier.index('href="/jobs/job-2"') < earlier.index('href="/jobs/job-1"')
    assert 'data-watch="agent:agent-1"' in text


def test_an_agent_with_many_jobs_has_pages(memory_site: Site) -> None:
    site = memory_site
    for number in range(60):
        site.register(f"job-{number}")
        site.report(f"job-{number}", status="failed", error="no quota")
    site.project()

    first = site.get("/agents/agent-1").text
    address = first.split('rel="next" href="')[1].split('"')[0]

    assert first.count('<li class="job"') == 50
    assert site.get(address).text.count('<li class="job"') == 10


@pytest.mark.parametrize("path", ["/agents/agent-1", "/embed/agents/agent-1", "/embed/jobs/job-1"])
def test_another_users_agent_is_not_there(memory_site: Site, path: str) -> None:
    memory_site.register(user_id="bob")

    answer = memory_site.get(path, memory_site.token("read", user_id="ada"))

    assert answer.status_code == 404
    assert "bob" not in answer.text


@pytest.mark.parametrize("path", ["/embed/agents/agent-1", "/embed/jobs/job-1"])
def test_an_embedded_view_has_the_steps_and_no_way_elsewhere(memory_site: Site, path: str) -> None:
    memory_site.register()
    memory_site.report(status="provisioning", step="vm_created")

    text = memory_site.get(path).text

    assert 'aria-current="step"' in text
    assert "<a " not in text
    assert "<form" not in text
    assert 'id="announcer"' in text
    assert "data-watch=" in text
