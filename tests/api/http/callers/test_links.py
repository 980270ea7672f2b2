"""Requests with a signed link: what they read, and where the link must not be seen."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from urllib.parse import quote

import pytest
from flask import request
from werkzeug.test import TestResponse

from api.http.callers.links import KEY, without_link
from projections.reading.reader import Reader
from projections.views.timeline import Timeline
from tests.support.stores.deployment import Deployment
from tests.support.web.site import ADMIN, MACHINE, Site, bearer, body_of, problem_of

SiteWith = Callable[..., AbstractContextManager[Site]]
JOB = "/api/jobs/job-1"
INSTANCE = "/api/agents/agent-1/instance"


@pytest.fixture
def running(site: Site) -> Site:
    """A site with a job of Ada's that runs."""
    return with_a_job(site)


@pytest.fixture
def memory_running(memory_site: Site) -> Site:
    """The same in memory, for what no store has a part in."""
    return with_a_job(memory_site)


def with_a_job(site: Site) -> Site:
    """Let a job of Ada's run."""
    site.register(user_id="ada")
    site.report(status="running", **MACHINE)
    site.project()
    return site


def link(site: Site, path: str = JOB, token: str = ADMIN, seconds: int = 60) -> str:
    """Return the text of a link."""
    issuer = "admin" if token == ADMIN else token.split("_")[1]
    return site.services.links.make(path, issuer, int(site.clock().timestamp()) + seconds)


def follow(
    site: Site, link: str, path: str = JOB, method: str = "GET", query: str = "", **headers: str
) -> TestResponse:
    """Ask with a link and without a token."""
    return site.client.open(f"{path}?{query}link={link}", method=method, headers=headers)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", [JOB, INSTANCE, f"{JOB}/timeline"])
def test_a_link_opens_its_path(memory_running: Site, path: str, method: str) -> None:
    assert follow(memory_running, link(memory_running, path), path, method).status_code == 200


def test_a_link_opens_the_path_at_any_moment_of_it(running: Site) -> None:
    answer = follow(running, link(running), query="version=1&")

    assert body_of(answer)["version"] == 1


@pytest.mark.parametrize(
    "path",
    [
        "/api/jobs/job-2",
        f"{JOB}/timeline",
        f"{JOB}/stream",
        f"/{JOB}",
        "/api//jobs/job-1",
        f"{JOB}/",
        "/api/jobs",
        "/api/events",
        INSTANCE,
    ],
)
def test_a_link_opens_no_other_path(memory_running: Site, path: str) -> None:
    answer = follow(memory_running, link(memory_running), path)

    assert answer.status_code in (401, 404)
    assert "srv-1" not in answer.text


def test_an_encoded_path_is_the_same_path(running: Site) -> None:
    running.register("a/b c", "agent-2", "bob")
    opened = link(running, "/api/jobs/a/b c")

    for path in ("/api/jobs/a/b%20c", "/api/jobs/a%2Fb%20c", "/api/jobs/%61/b%20c"):
        assert body_of(follow(running, opened, path))["id"] == "a/b c"
    problem_of(follow(running, opened, "/api/jobs/a%252Fb%20c"), 401, "invalid-link")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_link_changes_nothing(memory_running: Site, method: str) -> None:
    before = memory_running.position

    for path in (f"{JOB}/fail", f"{JOB}/stop", f"{JOB}/links", INSTANCE, "/api/jobs"):
        answer = follow(memory_running, link(memory_running, path), path, method)
        assert answer.status_code in (401, 405)
    assert memory_running.position == before


def test_a_link_of_a_users_token_opens_that_users_things_alone(running: Site) -> None:
    adas = running.token("read", user_id="ada")
    bobs = running.token("read", user_id="bob")

    assert follow(running, link(running, token=adas)).status_code == 200
    problem_of(follow(running, link(running, token=bobs)), 404, "job-not-found")


def test_a_link_ends_with_its_time_and_with_its_token(running: Site) -> None:
    token = running.token("read")
    short, long = link(running, token=token), link(running, token=token, seconds=3600)
    assert follow(running, short).status_code == 200

    running.clock.advance(60)
    problem_of(follow(running, short), 401, "invalid-link")
    assert follow(running, long).status_code == 200

    running.services.tokens.revoke(token.split("_")[1], "now")
    problem_of(follow(running, long), 401, "invalid-link")


def test_a_wrong_link_does_not_fall_back_to_the_cookie(running: Site) -> None:
    cookie = running.sign_in()

    problem_of(follow(running, "1.admin.x", Cookie=cookie), 401, "invalid-link")
    problem_of(follow(running, "", Cookie=cookie), 401, "invalid-link")


def test_a_token_counts_before_a_link(running: Site) -> None:
    bobs = running.token("read", user_id="bob")

    problem_of(follow(running, link(running), **bearer(bobs)), 404, "job-not-found")
    problem_of(follow(running, link(running), **bearer("nonsense")), 401, "invalid-token")
    assert follow(running, "nonsense", **bearer(ADMIN)).status_code == 200


def test_several_links_are_none(running: Site) -> None:
    text = link(running)

    problem_of(follow(running, text, query=f"link={text}&"), 401, "invalid-link")


def test_a_link_of_a_callback_is_looked_over(memory_site: Site) -> None:
    body = {"job_id": "job-1", "status": "failed"}

    assert memory_site.callback(body, path="/api/callbacks?link=1.admin.x").status_code == 200


@pytest.mark.parametrize(
    ("query", "rest", "found"),
    [
        ("", "", None),
        ("a=1", "a=1", None),
        ("link=x", "", "x"),
        ("a=1&link=x&b=2", "a=1&b=2", "x"),
        ("link=x&link=y", "", "x,y"),
        ("mylink=x", "mylink=x", None),
        ("a=link=x", "a=link=x", None),
        ("link=", "", ""),
    ],
)
def test_the_link_is_taken_out_of_the_query(query: str, rest: str, found: str | None) -> None:
    assert without_link(query) == (rest, found)


# Where a link must not be seen


def test_no_log_line_and_no_answer_has_a_link(
    running: Site, caplog: pytest.LogCaptureFixture
) -> None:
    """Errors name what was asked for, in the answer and in the log."""
    text = link(running)
    asked = (
        ("GET", JOB),
        ("GET", "/api/jobs/job-2"),
        ("GET", f"{JOB}/{'x' * 9000}"),
        ("GET", "/nothing"),
        ("GET", "/sign-in"),
        ("GET", "/jobs"),
        ("GET", "/jobs/job-1"),
        ("GET", "/audit/job-1"),
        ("POST", "/api/callbacks"),
        ("POST", "/api/webhooks/github"),
        ("POST", "/sign-in"),
        ("DELETE", INSTANCE),
    )
    with caplog.at_level(logging.DEBUG, "milepost"):
        for method, path in asked:
            answer = follow(running, text, path, method, query="version=x&")
            said = f"{answer.headers} {answer.text}"
            assert text not in said, f"{method} {path}"
            assert quote(text, safe="") not in said, f"{method} {path}"
    assert caplog.messages
    assert text.rpartition(".")[2] not in caplog.text


class WithABug(Reader):
    """A reader that cannot read timelines."""

    def timeline(self, job_id: str) -> Timeline | None:
        """Raise what no code expects."""
        raise RuntimeError("a bug")


def test_a_bug_is_logged_without_the_link(
    stores: Deployment, site_with: SiteWith, caplog: pytest.LogCaptureFixture
) -> None:
    stores.reader = WithABug(stores.read_model, stores.milepost.mapper)
    with site_with() as site, caplog.at_level(logging.ERROR):
        text = link(site, f"{JOB}/timeline")
        problem_of(follow(site, text, f"{JOB}/timeline"), 500, "internal-error")

    assert "a bug" in caplog.text
    assert text not in caplog.text


def test_another_servers_own_words_for_the_target_lose_it_too(memory_site: Site) -> None:
    """A WSGI server may keep the target as it came, where an error page would show it."""
    seen: dict[str, object] = {}
    memory_site.app.before_request_funcs = {None: [lambda: seen.update(request.environ)]}
    memory_site.app.test_client().get(
        f"{JOB}?link=1.admin.x&version=1",
        environ_overrides={"RAW_URI": "/?link=1.admin.x", "REQUEST_URI": "/?link=1.admin.x"},
    )
    memory_site.app.before_request_funcs = {}

    assert seen.pop(KEY) == "1.admin.x"
    assert "1.admin.x" not in str({**seen, "werkzeug.request": None})


def test_no_cache_stores_the_answer_to_a_link(running: Site) -> None:
    for path in (JOB, f"{JOB}/timeline", "/api/jobs/job-2"):
        cached = follow(running, link(running, path), path).headers["Cache-Control"]
        assert "private" in cached or "no-store" in cached
