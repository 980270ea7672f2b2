"""Badges over HTTP: who sees them, what they say, and how long they are cached."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

import pytest
from werkzeug.test import TestResponse

from tests.support.stores.deployment import Deployment, settle
from tests.support.web.site import MACHINE, Site, bearer, body_of, problem_of


def message(site: Site, thing: str, **asked: Any) -> str:
    """Return the right part of a badge."""
    return str(badge(site, thing, **asked)["message"])


def badge(site: Site, thing: str, query: str = "", **asked: Any) -> dict[str, Any]:
    answer = site.get(f"/api/{thing}/badge.json{query}", **asked)
    assert answer.status_code == 200, answer.text
    return body_of(answer)


def shown(answer: TestResponse) -> str:
    """Return what the image says in words."""
    assert (answer.status_code, answer.content_type) == (200, "image/svg+xml")
    return ElementTree.fromstring(answer.text).attrib["aria-label"]  # noqa: S314 (we drew it)


@pytest.fixture
def public(memory: Deployment) -> Site:
    """A site whose badges are public."""
    return Site(memory, public_badges=True)


def anonymous(site: Site, path: str, headers: Mapping[str, str] | None = None) -> TestResponse:
    return site.client.get(path, headers=headers)


def test_a_badge_follows_its_job(site: Site) -> None:
    site.register()
    assert message(site, "jobs/job-1") == "queued"

    site.report(status="provisioning", step="vm_created")
    assert message(site, "jobs/job-1") == "Installing Dependencies 3/5"
    assert message(site, "agents/agent-1") == "Installing Dependencies 3/5"
    image = site.get("/api/jobs/job-1/badge.svg")
    assert shown(image) == "job-1: Installing Dependencies 3/5"

    site.clock.advance(700)
    assert message(site, "jobs/job-1") == "Installing Dependencies 3/5, unresponsive"
    site.report(status="running", **MACHINE)
    assert message(site, "agents/agent-1") == "running"


def test_the_label_can_be_another_one_or_none(memory_site: Site) -> None:
    memory_site.register()

    assert badge(memory_site, "jobs/job-1")["label"] == "job-1"
    assert badge(memory_site, "jobs/job-1", "?label=web%20%3Cb%3E")["label"] == "web <b>"
    assert shown(memory_site.get("/api/jobs/job-1/badge.svg?label=")) == "queued"
    long = shown(memory_site.get("/api/jobs/job-1/badge.svg?v=2&label=" + "x" * 5000))
    assert long == "x" * 59 + "…: queued"


def test_hostile_words_are_text(memory_site: Site) -> None:
    label = "</text><script>alert(1)</script>\u202e\x00\"'&"
    answer = memory_site.get(f"/api/jobs/job-1/badge.svg?label={quote(label)}")

    assert "<script" not in answer.text
    assert shown(answer).endswith("\\u202e\\x00\"'&: unknown")
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_what_is_not_there_and_what_is_hidden_have_the_same_badge(site: Site) -> None:
    site.register(user_id="ada")
    bobs = site.token("read", user_id="bob")
    adas = site.token("read", user_id="ada")

    for thing in ("jobs/job-1", "agents/agent-1", "workflows/vm"):
        hidden = site.get(f"/api/{thing}/badge.svg?label=x", token=bobs)
        absent = site.get("/api/jobs/none/badge.svg?label=x", token=bobs)
        assert shown(hidden) == "x: unknown"
        assert hidden.data == absent.data
        settle(site.deployment)
        assert message(site, thing, token=adas) == "queued"


def test_without_a_token_there_is_no_badge_unless_they_are_public(
    memory_site: Site, public: Site
) -> None:
    public.register(user_id="ada")

    for kind in ("svg", "json"):
        problem_of(anonymous(memory_site, f"/api/jobs/job-1/badge.{kind}"), 401)
        assert anonymous(public, f"/api/jobs/job-1/badge.{kind}").status_code == 200
    problem_of(anonymous(public, "/api/jobs/job-1"), 401)
    assert shown(anonymous(public, "/api/jobs/job-1/badge.svg")) == "job-1: queued"
    assert shown(anonymous(public, "/api/jobs/none/badge.svg")) == "none: unknown"


def test_a_neighbour_cannot_measure_the_badge_that_a_cookie_opens(
    memory_site: Site, public: Site
) -> None:
    memory_site.register()
    cookie = memory_site.sign_in(memory_site.token("read"))

    seen = memory_site.look("/api/jobs/job-1/badge.svg", cookie)
    again = memory_site.look(
        "/api/jobs/job-1/badge.svg", cookie, **{"If-None-Match": seen.headers["ETag"]}
    )
    assert shown(seen) == "job-1: queued"
    assert again.status_code == 304
    for answer in (seen, again):
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    everybodys = anonymous(public, "/api/jobs/job-1/badge.svg")
    assert "Cross-Origin-Resource-Policy" not in everybodys.headers


@pytest.mark.parametrize("about", ["jobs/job-1", "agents/agent-1"])
def test_a_signed_link_opens_one_badge(memory_site: Site, about: str) -> None:
    memory_site.register(user_id="ada")
    wanted = memory_site.client.post(
        f"/api/{about}/links",
        json={"opens": "badge"},
        headers=bearer(memory_site.token("read", user_id="ada")),
    )
    link = body_of(wanted)["path"]

    answer = anonymous(memory_site, f"{link}&label=web")

    assert shown(answer) == "web: queued"
    assert answer.headers["Cache-Control"] == "private, max-age=10"
    assert "Cross-Origin-Resource-Policy" not in answer.headers
    problem_of(anonymous(memory_site, link.replace("badge.svg", "badge.json")), 401)


def test_a_cache_may_keep_a_badge_for_seconds(memory_site: Site, public: Site) -> None:
    public.register()
    path = "/api/jobs/job-1/badge.svg"
    first = anonymous(public, path)

    assert first.headers["Cache-Control"] == "public, max-age=10"
    assert "Vary" not in first.headers
    own = memory_site.get(path)
    assert own.headers["Cache-Control"] == "private, max-age=10"
    assert own.headers["Vary"] == "Authorization, Cookie"

    again = anonymous(public, path, {"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert again.headers["Cache-Control"] == "public, max-age=10"
    public.report(status="running")
    changed = anonymous(public, path, {"If-None-Match": first.headers["ETag"]})
    assert shown(changed) == "job-1: running"


def test_a_workflow_shows_its_last_run(site: Site) -> None:
    site.register(job_id="job-1", workflow="vm@1")
    site.register("job-2", "agent-2", "user-2", workflow="vm-verified@1")
    site.report(job_id="job-1", status="failed", error="boom")
    settle(site.deployment)

    assert message(site, "workflows/vm") == message(site, "workflows/vm@1") == "failed"
    assert message(site, "workflows/vm-verified") == "queued"
    assert message(site, "workflows/none") == message(site, "workflows/vm@9") == "unknown"

    # A state is never stale, but which run is the last is as of the read model.
    site.report(job_id="job-1", status="provisioning", workflow_run_id="2")
    assert message(site, "workflows/vm") == "Creating Server 2/5"


def test_a_job_that_names_no_workflow_is_a_run_of_the_default(site: Site) -> None:
    site.report(job_id="stray", status="running")
    settle(site.deployment)

    assert message(site, "workflows/vm") == "running"
    assert message(site, "workflows/vm-verified") == "unknown"


def test_whoever_is_bound_to_a_user_sees_the_last_of_their_own_runs(site: Site) -> None:
    site.register(job_id="job-1", user_id="ada")
    site.report(job_id="job-1", status="running")
    site.register(job_id="job-2", agent_id="agent-2", user_id="bob")
    settle(site.deployment)

    assert message(site, "workflows/vm") == "queued"
    assert message(site, "workflows/vm", token=site.token("read", user_id="ada")) == "running"
    assert message(site, "workflows/vm", token=site.token("read", user_id="eve")) == "unknown"


def test_a_job_whose_id_is_longer_is_not_hidden_by_the_badge_of_another(memory_site: Site) -> None:
    memory_site.register(job_id="job-1/badge.svg")

    assert memory_site.read("/api/jobs/job-1/badge.svg")["id"] == "job-1/badge.svg"
