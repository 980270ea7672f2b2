"""Who may do what with a session's cookie: look, as far as its token may, and change nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest

from api import tokens
from api.fair_cache import FairCache
from api.sessions import LASTS, UNUSED, hash_of
from api.sessions.remembered import MAX_REMEMBERED
from tests.support.web.site import ADMIN, MACHINE, Site, bearer, body_of, problem_of, sign

LOOKS = ("/api/jobs", "/api/jobs/job-1", "/api/agents/agent-1/instance", "/metrics")


@pytest.fixture
def running(site: Site) -> Site:
    """A site with a job that runs."""
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


def pass_time(site: Site, seconds: float) -> None:
    """Let time pass, also for what is remembered, which counts by another clock."""
    site.clock.advance(seconds)
    site.services.sessions._cached = FairCache(MAX_REMEMBERED)
    site.services.sessions._due.clear()


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_session_looks_at_what_its_token_may_look_at(running: Site, method: str) -> None:
    cookie = running.sign_in(running.token("read"))

    assert {running.look(path, cookie, method).status_code for path in LOOKS} == {200}


def test_a_session_of_a_users_token_sees_that_users_jobs_alone(running: Site) -> None:
    adas = running.sign_in(running.token("read", user_id="ada"))
    bobs = running.sign_in(running.token("read", user_id="bob"))

    assert running.look("/api/jobs/job-1", adas).status_code == 200
    assert len(body_of(running.look("/api/jobs", adas))["jobs"]) == 1
    problem_of(running.look("/api/jobs/job-1", bobs), 404, "job-not-found")
    problem_of(running.look("/api/agents/agent-1/instance", bobs), 404, "agent-not-found")
    assert body_of(running.look("/api/jobs", bobs))["jobs"] == []
    problem_of(running.look("/metrics", adas), 403, "missing-scope")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/api/jobs", b'{"agent_id": "agent-2"}'),
        ("POST", "/api/jobs/job-1/fail", b'{"reason": "planted"}'),
        ("POST", "/api/jobs/job-1/cancel", b'{"reason": "planted"}'),
        ("POST", "/api/jobs/job-1/stop", b"{}"),
        ("POST", "/api/jobs/job-1/stopped", b'{"reason": "planted"}'),
        ("DELETE", "/api/agents/agent-1/instance", b""),
    ],
)
def test_a_cookie_changes_nothing(
    memory_running: Site, method: str, path: str, body: bytes
) -> None:
    cookie, before = memory_running.sign_in(), memory_running.position

    answer = memory_running.client.open(path, method=method, data=body, headers={"Cookie": cookie})

    problem_of(answer, 401, "missing-token")
    assert memory_running.position == before


@pytest.mark.parametrize("path", ["/api/callbacks", "/api/webhooks/github"])
def test_a_cookie_signs_no_callback(memory_site: Site, path: str) -> None:
    cookie = memory_site.sign_in()
    body = b'{"job_id": "job-1", "status": "failed"}'

    problem_of(memory_site.unsigned(body, {"Cookie": cookie}, path), 401, "invalid-signature")
    signed = {"Cookie": cookie, "X-Signature": sign(body)}
    assert memory_site.unsigned(body, signed, path).status_code == 200


def test_a_wrong_token_does_not_fall_back_to_the_cookie(running: Site) -> None:
    cookie = running.sign_in()

    for wrong in ("", "Bearer", "Bearer x", f"Basic {ADMIN}"):
        answer = running.look("/api/jobs/job-1", cookie, Authorization=wrong)
        problem_of(answer, 401, "invalid-token")


def test_a_token_counts_before_the_cookie(running: Site) -> None:
    cookie = running.sign_in()
    bobs = running.token("read", user_id="bob")

    answer = running.look("/api/jobs/job-1", cookie, **bearer(bobs))

    problem_of(answer, 404, "job-not-found")


@pytest.mark.parametrize(
    "cookie",
    [
        "milepost_session=",
        "milepost_session=x",
        f"milepost_session={ADMIN}",
        "milepost_session=" + "A" * 43,
        "milepost_session=" + "\xe9" * 43,
        "milepost_session=" + "A" * 8000,
        "milepost_session='; DROP TABLE milepost_sessions; --" + "x" * 7,
        "__Host-milepost_session=" + "A" * 43,
        "milepost_session=a; milepost_session=b",
    ],
)
def test_a_cookie_of_no_session_is_refused(running: Site, cookie: str) -> None:
    for path in LOOKS:
        problem_of(running.look(path, cookie), 401, "invalid-session")


def test_the_hash_of_a_session_opens_nothing(running: Site) -> None:
    """Who reads the database, or a backup, cannot use what is in it."""
    secret = running.sign_in().partition("=")[2]
    stored = running.services.sessions.find(hash_of(secret))
    assert stored

    problem_of(running.look("/api/jobs", f"milepost_session={stored.hash}"), 401)
    problem_of(running.look("/api/jobs", f"milepost_session={stored.hash[:43]}"), 401)


def test_a_session_ends_with_its_token(running: Site) -> None:
    token = running.token("read")
    cookie, other = running.sign_in(token), running.sign_in(running.token("read"))
    assert running.look("/api/jobs/job-1", cookie).status_code == 200

    running.services.tokens.revoke(token.split("_")[1], "2026-03-02T12:00:00+00:00")

    problem_of(running.look("/api/jobs/job-1", cookie), 401, "invalid-session")
    assert running.look("/api/jobs/job-1", other).status_code == 200


def test_a_session_ends_when_its_token_expires(running: Site) -> None:
    until = running.clock() + timedelta(hours=1)
    _, token = tokens.create(
        running.services.tokens, "page", ["read"], None, running.clock(), until
    )
    cookie = running.sign_in(token)

    running.clock.advance(3600)

    problem_of(running.look("/api/jobs/job-1", cookie), 401, "invalid-session")


def test_a_session_ends_after_30_days(running: Site) -> None:
    cookie = running.sign_in()
    for _ in range(9):
        pass_time(running, 3 * 86400)
        assert running.look("/api/jobs", cookie).status_code == 200

    pass_time(running, LASTS.total_seconds() - 27 * 86400)

    problem_of(running.look("/api/jobs", cookie), 401, "invalid-session")


def test_a_session_ends_after_7_days_without_use(running: Site) -> None:
    cookie = running.sign_in()
    pass_time(running, UNUSED.total_seconds() - 1)
    assert running.look("/api/jobs", cookie).status_code == 200

    pass_time(running, UNUSED.total_seconds() - 1)
    assert running.look("/api/jobs", cookie).status_code == 200
    pass_time(running, UNUSED.total_seconds())

    problem_of(running.look("/api/jobs", cookie), 401, "invalid-session")


def test_a_session_of_the_admin_token_ends_when_another_one_is_set(running: Site) -> None:
    cookie = running.sign_in(ADMIN)
    assert running.look("/api/jobs", cookie).status_code == 200
    restarted = Site(running.deployment, admin_token=ADMIN[::-1])
    as_before = Site(running.deployment)

    assert as_before.look("/api/jobs", cookie).status_code == 200
    problem_of(restarted.look("/api/jobs", cookie), 401, "invalid-session")


def test_a_use_of_a_session_is_a_use_of_its_token(running: Site) -> None:
    cookie = running.sign_in(running.token("read"))
    running.clock.advance(3600)
    running.services.tokens._due.clear()

    assert running.look("/api/jobs", cookie).status_code == 200

    [token] = running.services.tokens.all()
    assert token.last_used_at == "2026-03-02T13:00:00+00:00"


@pytest.mark.parametrize("path", ["/api/jobs", "/api/jobs/job-1", "/api/jobs/none", "/nothing"])
def test_no_shared_cache_stores_an_answer_to_a_cookie(memory_running: Site, path: str) -> None:
    cached = memory_running.look(path, memory_running.sign_in()).headers["Cache-Control"]

    assert "private" in cached or "no-store" in cached


def test_a_cached_past_is_asked_for_again_with_another_cookie(running: Site) -> None:
    answer = running.look("/api/jobs/job-1?version=1", running.sign_in())

    assert "Cookie" in answer.headers["Vary"]
