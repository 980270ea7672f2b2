"""Making signed links over HTTP."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urljoin

import pytest
from werkzeug.test import TestResponse

from api.routes.links import OF_AGENT, OF_JOB
from api.schemas.requests import MAX_LINK_SECONDS, MIN_LINK_SECONDS
from tests.support.web.site import ADMIN, MACHINE, Site, bearer, body_of, moment, problem_of

JOB = "/api/jobs/job-1"


@pytest.fixture
def running(site: Site) -> Site:
    """A site with a job of Ada's that runs."""
    site.register(user_id="ada")
    site.report(status="running", **MACHINE)
    site.project()
    return site


def make(site: Site, about: str = "jobs/job-1", token: str = ADMIN, **body: object) -> TestResponse:
    """Ask for a link."""
    return site.client.post(f"/api/{about}/links", json=body, headers=bearer(token))


def made(site: Site, about: str = "jobs/job-1", token: str = ADMIN, **body: object) -> Any:
    """Return a link that was made."""
    answer = make(site, about, token, **body)
    assert answer.status_code == 201, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    return body_of(answer)


@pytest.mark.parametrize(
    ("about", "opens"), [("jobs/job-1", "job"), ("agents/agent-1", "instance")]
)
def test_a_link_opens_what_was_asked_for(running: Site, about: str, opens: str) -> None:
    token = running.token("read", user_id="ada")

    link = made(running, about, token, opens=opens)

    answer = running.client.get(link["path"])
    assert answer.status_code == 200
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert link["url"] == f"http://localhost{link['path']}"


@pytest.mark.parametrize("workflow", ["vm", "vm@1"])
def test_a_link_opens_the_badge_of_a_workflows_last_run(running: Site, workflow: str) -> None:
    for user, state in (("ada", "running"), ("bob", "unknown")):
        token = running.token("read", user_id=user)

        link = made(running, f"workflows/{workflow}", token)

        answer = running.client.get(link["path"])
        assert answer.content_type == "image/svg+xml"
        assert f">{state}<" in answer.text
    other = link["path"].replace(workflow, "vm-verified")
    problem_of(running.client.get(other), 401, "invalid-link")


def test_a_workflow_that_nobody_has_defined_gets_no_link(memory_site: Site) -> None:
    problem_of(make(memory_site, "workflows/vn"), 400, "unknown-workflow")
    problem_of(make(memory_site, "workflows/vm", opens="page"), 400, "invalid-fields")


def test_a_link_opens_a_page_for_a_day_unless_told_otherwise(running: Site) -> None:
    link = made(running)

    assert link["path"].startswith("/embed/jobs/job-1?link=")
    assert (moment(link["expires_at"]) - running.clock()).total_seconds() == 86_400


def test_a_link_ends_when_it_says(running: Site) -> None:
    link = made(running, opens="job", expires_in=MIN_LINK_SECONDS)
    running.clock.advance(MIN_LINK_SECONDS - 1)
    assert running.client.get(link["path"]).status_code == 200

    running.clock.advance(1)

    assert running.clock() == moment(link["expires_at"])
    problem_of(running.client.get(link["path"]), 401, "invalid-link")


@pytest.mark.parametrize("seconds", [0, -1, MIN_LINK_SECONDS - 1, MAX_LINK_SECONDS + 1, "x", 1.5])
def test_a_link_lasts_a_minute_to_a_year(memory_site: Site, seconds: object) -> None:
    memory_site.register()

    problem_of(make(memory_site, expires_in=seconds), 400, "invalid-fields")
    assert made(memory_site, expires_in=MAX_LINK_SECONDS)


@pytest.mark.parametrize(
    "body", [{"opens": "instance"}, {"opens": "/api/events"}, {"path": "/api/events"}]
)
def test_nothing_else_gets_a_link(memory_site: Site, body: dict[str, str]) -> None:
    memory_site.register()

    problem_of(make(memory_site, **body), 400, "invalid-fields")


def test_what_somebody_may_not_see_gets_no_link(running: Site) -> None:
    bobs = running.token("read", user_id="bob")

    for about, slug in (("jobs/job-1", "job-not-found"), ("agents/agent-1", "agent-not-found")):
        problem_of(make(running, about, bobs), 404, slug)
    problem_of(make(running, "jobs/job-2"), 404, "job-not-found")
    problem_of(make(running, token=running.token("write")), 403, "missing-scope")


def test_neither_a_cookie_nor_a_link_makes_a_link(running: Site) -> None:
    answer = running.look(f"{JOB}/links", running.sign_in(), "POST")
    problem_of(answer, 401, "missing-token")

    link = made(running, opens="job")["path"].partition("?")[2]
    problem_of(running.client.post(f"{JOB}/links?{link}"), 401, "missing-token")


@pytest.mark.parametrize("job_id", ["a/../b", "../b", "a/./b", "a/.."])
def test_no_client_takes_parts_out_of_a_links_path(memory_site: Site, job_id: str) -> None:
    memory_site.register(job_id)

    link = made(memory_site, f"jobs/{quote(job_id, safe='')}", opens="job")

    assert urljoin("http://localhost/", link["path"]) == f"http://localhost{link['path']}"
    assert body_of(memory_site.client.get(link["path"]))["id"] == job_id


def test_an_id_of_any_characters_gets_a_link_that_works(memory_site: Site) -> None:
    job_id = "a/b c?d#e%2F&é+x"
    memory_site.register(job_id)

    link = made(memory_site, "jobs/a/b%20c%3Fd%23e%252F%26%C3%A9+x", opens="job")

    assert body_of(memory_site.client.get(link["path"]))["id"] == job_id


@pytest.mark.parametrize("ending", ["events", "timeline", "changes", "stream", "badge.svg"])
def test_an_id_like_another_routes_path_gets_no_link_to_another_job(
    memory_site: Site, ending: str
) -> None:
    memory_site.register("ada", "agent-1", user_id="ada")
    memory_site.register(f"ada/{ending}", "agent-2", user_id="bob")

    problem = problem_of(make(memory_site, f"jobs/ada%2F{ending}", opens="job"), 400)

    assert "opens" in problem["errors"]
    page = memory_site.client.get(made(memory_site, f"jobs/ada%2F{ending}")["path"])
    assert page.status_code == 200
    assert f'data-watch="job:ada/{ending}"' in page.text


def test_the_public_url_is_that_of_the_link(memory_site: Site) -> None:
    site = Site(memory_site.deployment, public_url="https://milepost.example/x")
    site.register()

    assert made(site)["url"].startswith("https://milepost.example/x/embed/jobs/job-1?link=")


def test_a_server_without_a_secret_says_what_is_missing(memory_site: Site) -> None:
    site = Site(memory_site.deployment, link_secrets=())
    site.register()

    assert "MILEPOST_LINK_SECRET" in problem_of(make(site), 409, "no-link-secret")["detail"]


def test_each_word_has_a_path() -> None:
    assert set(OF_JOB) == {"page", "stream", "badge", "job"}
    assert set(OF_AGENT) == {"page", "stream", "badge", "instance"}
