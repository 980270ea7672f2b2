"""Only the pages that a link opened may be in a frame of another site."""

from __future__ import annotations

import html
import re

import pytest
from werkzeug.test import TestResponse

from tests.support.stores.deployment import Deployment
from tests.support.web.site import Site
from tests.support.web.streaming import Live, live

APP = "https://app.example"


def embedded(site: Site, about: str = "jobs/job-1", by_link: bool = True) -> TestResponse:
    """Ask for the page without chrome, by a link or with the cookie of a session."""
    path = f"/embed/{about}"
    if not by_link:
        return site.look(path, site.sign_in())
    link = site.services.links.make(path, "admin", int(site.clock().timestamp()) + 60)
    return site.client.get(f"{path}?link={link}")


def ancestors(answer: TestResponse) -> str:
    """Return who may show the page in a frame, as its policy says."""
    [policy] = answer.headers.getlist("Content-Security-Policy")
    return policy.partition("frame-ancestors ")[2]


@pytest.mark.parametrize("about", ["jobs/job-1", "agents/agent-1"])
def test_everybody_may_frame_the_page_of_a_link(memory_site: Site, about: str) -> None:
    memory_site.register()

    answer = embedded(memory_site, about)

    assert (answer.status_code, ancestors(answer)) == (200, "*")


def test_the_origins_that_are_named_may_and_no_other(memory: Deployment) -> None:
    site = Site(memory, frame_origins=(APP, f"{APP}:8443"))
    site.register()

    assert ancestors(embedded(site)) == f"{APP} {APP}:8443"


def test_no_page_of_a_session_may_be_framed(memory_site: Site) -> None:
    memory_site.register()

    answer = embedded(memory_site, by_link=False)

    assert (answer.status_code, ancestors(answer)) == (200, "'none'")


def test_a_link_to_another_page_lets_nobody_frame_it(memory_site: Site) -> None:
    memory_site.register()
    until = int(memory_site.clock().timestamp()) + 60
    link = memory_site.services.links.make("/jobs/job-1", "admin", until)

    answer = memory_site.client.get(f"/jobs/job-1?link={link}")

    assert (answer.status_code, ancestors(answer)) == (200, "'none'")


def test_the_frame_says_that_its_link_has_ended(memory_site: Site) -> None:
    memory_site.register()
    answer = memory_site.client.get("/embed/jobs/job-1?link=1.admin.x")

    assert (answer.status_code, ancestors(answer)) == (401, "*")
    assert "Ask who gave you the link" in answer.text
    assert "job-1" not in answer.text


@pytest.mark.parametrize("about", ["jobs/job-1", "agents/agent-1"])
def test_the_frame_says_where_a_job_failed_but_not_the_error(memory_site: Site, about: str) -> None:
    site = memory_site
    site.register()
    site.report(status="provisioning", step="vm_created")
    site.report(status="failed", error="fatal: PASSWORD=hunter2 was not taken")

    text = embedded(site, about).text

    assert "Failed at Installing Dependencies, step 3 of 5." in text
    assert "hunter2" not in text


@pytest.mark.parametrize("about", ["jobs/job-1", "agents/agent-1"])
def test_the_stream_of_the_frame_says_when_and_not_what(memory_site: Site, about: str) -> None:
    site = memory_site
    site.register()
    site.report(status="provisioning", step="vm_created", server_ip="203.0.113.7")
    [where] = re.findall('data-stream="(.*?)"', embedded(site, about).text)

    async def test(served: Live) -> None:
        reader = await served.ask(html.unescape(where))
        resumed = [
            await served.ask(html.unescape(where), Last_Event_ID="1"),
            await served.ask(f"{html.unescape(where)}&after=1"),
        ]
        site.report(status="failed", error="fatal: PASSWORD=hunter2 was not taken")
        assert [(each.id, each.data) for each in await reader.some(2)] == [(2, {}), (3, {})]
        for again in resumed:
            assert [(each.id, each.data) for each in await again.some(2)] == [(2, {}), (3, {})]
        if about.startswith("jobs/"):
            [end] = await reader.rest()
            assert (end.event, end.data) == ("end", {"status": "failed", "outcome": "failed"})

    live(site, test)
