"""Errors: a page for a person's browser, a problem document for a program."""

from __future__ import annotations

import msgspec
import pytest

from domain.errors import StoreUnavailable
from projections.reading.reader import Reader
from projections.views.instance import Instance
from tests.support.stores.deployment import Deployment
from tests.support.web.site import Site, app_over, problem_of

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/jobs/nothing", 404, "Job not found"),
        ("/agents/nothing", 404, "Agent not found"),
        ("/nowhere", 404, "Not Found"),
        ("/jobs/job-1?version=9", 404, "No such moment"),
        ("/jobs/job-1?version=x", 400, "Invalid fields"),
        ("/jobs/job-1/cancel", 404, "Job not found"),
    ],
)
def test_a_browser_gets_an_error_as_a_page(
    memory_site: Site, path: str, status: int, words: str
) -> None:
    memory_site.report("job-1", status="running")

    answer = memory_site.get(path, headers=BROWSER)

    assert answer.status_code == status
    assert answer.content_type.startswith("text/html")
    assert f"<h1>{words}</h1>" in answer.text
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("path", "way", "address"),
    [
        ("/jobs/vm%204", "Look for it in all jobs", "/jobs?q=vm+4"),
        ("/agents/runner", "Look for it in all jobs", "/jobs?q=runner"),
        ("/jobs/job-1?version=9", "Show the page as it is now", "/jobs/job-1"),
        ("/jobs/job-1?at=x", "Show the page as it is now", "/jobs/job-1"),
        ("/jobs/a%2F..%2Fb?version=9", "Show the page as it is now", "/jobs/a%2F..%2Fb"),
        ("/nowhere", "To the jobs", "/jobs"),
        ("/agents/runner?x=1", "Look for it in all jobs", "/jobs?q=runner"),
        ("/jobs/vm?x=1", "Look for it in all jobs", "/jobs?q=vm"),
        ("/embed/jobs/vm", "To the jobs", "/jobs"),
    ],
)
def test_an_error_leads_on(memory_site: Site, path: str, way: str, address: str) -> None:
    for job_id in ("job-1", "a/../b"):
        memory_site.report(job_id, status="running")

    text = memory_site.get(path, headers=BROWSER).text

    assert f'href="{address}">{way}</a>' in text


@pytest.mark.parametrize("path", ["/nowhere?version=1", "/agents/runner?at=x", "/jobs/vm?x=1"])
def test_no_page_of_now_is_offered_for_an_address_without_a_past(
    memory_site: Site, path: str
) -> None:
    assert "as it is now" not in memory_site.get(path, headers=BROWSER).text


def test_who_came_by_a_link_that_has_ended_is_led_nowhere(memory_site: Site) -> None:
    """Neither can he sign in, nor may he see a list of jobs."""
    memory_site.register()

    answer = memory_site.client.get("/embed/jobs/job-1?link=1.admin.x", headers=BROWSER)

    assert answer.status_code == 401
    assert "<h1>Link ended</h1>" in answer.text
    assert "Ask who gave you the link for a new one." in answer.text
    assert "<a " not in answer.text
    assert "<nav" not in answer.text


class Away(Reader):
    """A reader whose database is away."""

    def instance(self, job_id: str) -> Instance | None:
        raise StoreUnavailable(f"the database of {job_id} is away")


def test_who_came_by_a_link_may_try_again_while_the_database_is_away(memory: Deployment) -> None:
    """His page is in a frame, without a browser's button for that."""
    site = Site(memory)
    reader = Away(memory.read_model, memory.milepost.mapper)
    client = app_over(msgspec.structs.replace(site.services, reader=reader)).test_client()
    until = int(site.clock().timestamp()) + 60
    link = site.services.links.make("/embed/jobs/job-1", "admin", until)

    answer = client.get(f"/embed/jobs/job-1?link={link}", headers=BROWSER)

    assert answer.status_code == 503
    assert answer.text.count("<a ") == 1
    assert '<a class="button" href="">Try again</a>' in answer.text


def test_a_program_gets_problem_documents(memory_site: Site) -> None:
    problem_of(memory_site.get("/nowhere"), 404, "not-found")
    problem_of(memory_site.get("/api/jobs/nothing", headers=BROWSER), 404, "job-not-found")


def test_a_longer_accept_than_any_browsers_is_not_read(memory_site: Site) -> None:
    """The event loop would take 110 ms for 58 KiB, and anybody can send them again and again."""
    accept = "text/html" + ",a" * 1_000

    problem_of(memory_site.client.get("/nothing", headers={"Accept": accept}), 404)


def test_a_token_without_the_scope_sees_a_page_that_says_so(memory_site: Site) -> None:
    token = memory_site.token("write")

    answer = memory_site.get("/jobs", token, BROWSER)

    assert answer.status_code == 403
    assert "<h1>Missing scope</h1>" in answer.text


def test_an_order_by_get_is_not_a_page(memory_site: Site) -> None:
    answer = memory_site.client.put("/jobs", headers=BROWSER)

    assert answer.status_code == 405
    assert "GET" in answer.headers["Allow"]
