"""Who may do what: bearer tokens, their scopes, and the user they may be bound to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from api.tokens import Scope
from tests.support.web.site import ADMIN, MACHINE, Site, bearer, body_of, everything_in, problem_of

READS = (
    "/api/jobs",
    "/api/jobs/job-1",
    "/api/jobs/job-1/timeline",
    "/api/agents/agent-1/instance",
    "/metrics",
)
READ_ROUTES = pytest.mark.parametrize("path", READS)


def answers(site: Site, headers: dict[str, str]) -> Iterator[tuple[str, int]]:
    """Ask every route that wants a token, and give method, path and status."""
    for path in READS:
        yield path, site.client.get(path, headers=headers).status_code
    body = {"agent_id": "agent-9"}
    yield "POST", site.client.post("/api/jobs", json=body, headers=headers).status_code
    path = "/api/agents/agent-1/instance"
    yield "DELETE", site.client.delete(path, headers=headers).status_code


# Tokens


def test_without_a_token_nothing_is_told_and_nothing_happens(site: Site) -> None:
    site.register()
    site.report(status="running", **MACHINE)
    before = site.position

    assert {status for _, status in answers(site, {})} == {401}
    assert site.position == before


def test_a_missing_token_is_asked_for(memory_site: Site) -> None:
    answer = memory_site.client.get("/api/jobs/job-1")

    problem = problem_of(answer, 401, "missing-token")
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="milepost"'
    assert "milepost tokens create" in problem["detail"]


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer nonsense",
        f"Basic {ADMIN}",
        ADMIN,
        f"Bearer {ADMIN}x",
        f"Bearer {ADMIN[:-1]}",
        f"Bearer {ADMIN.upper()}",
        "Bearer \xc3\xa9\xc3\xa9",
        "Bearer \xff\xfe",
        "Bearer " + "x" * 8000,
    ],
)
def test_what_is_not_of_the_form_of_a_token_is_refused(memory_site: Site, header: str) -> None:
    answer = memory_site.client.get("/api/jobs", headers={"Authorization": header})

    problem_of(answer, 401)
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    "token",
    [
        "mp_",
        "mp__",
        "mp_0123456789ab_",
        "mp_0123456789ab_" + "x" * 43,
        "mp_'; DROP TABLE milepost_tokens; --_x",
        "mp_%_x",
        "mp_\xe9_\xe9",
        "mp_\xb2_x",
        "mp_" + "a" * 8000 + "_x",
    ],
)
def test_a_token_that_is_none_is_refused(site: Site, token: str) -> None:
    answer = site.client.get("/api/jobs", headers={"Authorization": f"Bearer {token}"})

    problem_of(answer, 401)
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_the_scheme_is_read_in_any_case(memory_site: Site) -> None:
    for scheme in ("bearer", "BEARER"):
        answer = memory_site.client.get("/api/jobs", headers={"Authorization": f"{scheme} {ADMIN}"})
        assert answer.status_code == 200


def test_a_made_token_opens_and_a_revoked_one_does_not(site: Site) -> None:
    token = site.token("read")
    kept = site.token("read")
    assert site.get("/api/jobs", token).status_code == 200

    assert site.services.tokens.revoke(token.split("_")[1], "2026-03-02T12:00:00+00:00")

    problem_of(site.get("/api/jobs", token), 401, "invalid-token")
    assert site.get("/api/jobs", kept).status_code == 200


def test_a_token_is_revoked_once(site: Site) -> None:
    token_id = site.token("read").split("_")[1]
    tokens = site.services.tokens

    assert [tokens.revoke(token_id, "now"), tokens.revoke(token_id, "later")] == [True, False]
    assert not tokens.revoke("nobody's", "now")
    [stored] = tokens.all()
    assert stored.revoked_at == "now"


def test_the_secret_half_of_another_token_does_not_open(site: Site) -> None:
    one, other = site.token("admin"), site.token("read")
    mixed = "_".join([*one.split("_", 2)[:2], other.split("_", 2)[2]])

    problem_of(site.get("/api/jobs", mixed), 401, "invalid-token")


def test_only_the_hash_of_a_token_is_stored(database_site: Site) -> None:
    token = database_site.token("read", name="page")
    [stored] = database_site.services.tokens.all()

    assert stored.name == "page"
    secret = token.split("_", 2)[2].encode()
    kept = everything_in(database_site)
    assert stored.hash.encode() in kept
    assert secret not in kept


# Scopes


@pytest.mark.parametrize(
    ("scopes", "reads", "writes"),
    [
        (("read",), True, False),
        (("write",), False, True),
        (("read", "write"), True, True),
        (("admin",), True, True),
        ((), False, False),
    ],
)
def test_a_scope_allows_what_it_says(
    site: Site, scopes: tuple[Scope, ...], reads: bool, writes: bool
) -> None:
    site.register()
    site.report(status="running", **MACHINE)
    token = site.token(*scopes)

    statuses = dict(answers(site, bearer(token)))

    assert {statuses[path] for path in READS} == {200 if reads else 403}
    assert (statuses["POST"], statuses["DELETE"]) == ((201, 200) if writes else (403, 403))


def test_a_missing_scope_is_named(memory_site: Site) -> None:
    token = memory_site.token("read", name="page")

    answer = memory_site.post_job({"agent_id": "agent-1"}, token)

    detail = problem_of(answer, 403, "missing-scope")["detail"]
    assert "page" in detail
    assert "write" in detail
    assert memory_site.position == 0


def test_who_may_not_is_told_so_before_anything_else(memory_site: Site) -> None:
    """What is wrong with a request is nobody's business who may not send it."""
    token = memory_site.token("read")

    problem_of(memory_site.client.post("/api/jobs", data=b"{"), 401, "missing-token")
    problem_of(memory_site.post_job([], token), 403, "missing-scope")
    problem_of(memory_site.client.get("/api/jobs?limit=x"), 401, "missing-token")


# Tokens of a user


@pytest.fixture
def ada(site: Site) -> str:
    """A token of Ada, on a site with a job of hers, one of Bob's and one of nobody's."""
    site.register("ada's", "agent-a", "ada")
    site.report("ada's", status="running", **MACHINE)
    site.register("bob's", "agent-b", "bob")
    site.report("bob's", status="running", **MACHINE)
    site.post_job({"job_id": "nobody's", "agent_id": "agent-n"})
    site.report("unregistered", status="provisioning")
    site.project()
    return site.token("read", "write", user_id="ada", name="ada's page")


def test_a_user_sees_what_is_theirs(site: Site, ada: str) -> None:
    assert site.job("ada's", ada)["user_id"] == "ada"
    assert site.instance("agent-a", ada)["instance"]["id"] == "ada's"
    assert site.read("/api/jobs/ada's/timeline", ada)["job_id"] == "ada's"


@pytest.mark.parametrize("job_id", ["bob's", "nobody's", "unregistered", "not there"])
@pytest.mark.parametrize("suffix", ["", "/timeline"])
def test_jobs_of_others_are_not_there(site: Site, ada: str, job_id: str, suffix: str) -> None:
    problem = problem_of(site.get(f"/api/jobs/{job_id}{suffix}", ada), 404, "job-not-found")

    assert problem["detail"] == "There is no job with this id. Check the id."


@pytest.mark.parametrize("agent_id", ["agent-b", "agent-n", "not there"])
def test_agents_of_others_are_not_there(site: Site, ada: str, agent_id: str) -> None:
    before = site.position

    problem_of(site.get(f"/api/agents/{agent_id}/instance", ada), 404, "agent-not-found")
    problem_of(site.stop(agent_id, ada), 404, "agent-not-found")
    assert site.position == before


def test_an_etag_of_another_users_job_opens_nothing(site: Site, ada: str) -> None:
    for path in ("/api/jobs/bob's", "/api/jobs/bob's/timeline", "/api/agents/agent-b/instance"):
        tag = site.get(path).headers["ETag"]
        for given in (tag, "*"):
            problem_of(site.get(path, ada, headers={"If-None-Match": given}), 404)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["ada's"]),
        ("?user_id=ada", ["ada's"]),
        ("?user_id=bob", []),
        ("?agent_id=agent-b", []),
        ("?status=provisioning", []),
        ("?cursor=p999", ["ada's"]),
    ],
)
def test_a_users_lists_have_only_theirs(
    site: Site, ada: str, query: str, expected: list[str]
) -> None:
    listed = site.read(f"/api/jobs{query}", ada)

    assert [job["id"] for job in listed["jobs"]] == expected


def test_a_users_pages_have_only_theirs(site: Site, ada: str) -> None:
    site.register("ada's second", "agent-a", "ada")
    site.project()

    first = site.get("/api/jobs?limit=1", ada)
    second = site.get(first.headers["Link"].split(">")[0].removeprefix("<"), ada)

    assert [job["id"] for job in body_of(first)["jobs"]] == ["ada's second"]
    assert [job["id"] for job in body_of(second)["jobs"]] == ["ada's"]
    assert "Link" not in second.headers


def test_a_users_registration_is_theirs_by_itself(site: Site, ada: str) -> None:
    for body in ({"agent_id": "agent-2"}, {"agent_id": "agent-2", "user_id": "ada"}):
        job = body_of(site.post_job(body, ada))
        assert job["user_id"] == "ada"
        site.report(job["id"], status="failed")


def test_a_user_registers_for_nobody_else(site: Site, ada: str) -> None:
    before = site.position

    answer = site.post_job({"agent_id": "agent-2", "user_id": "bob"}, ada)

    problem_of(answer, 403, "missing-scope")
    assert site.position == before


@pytest.mark.parametrize("agent_id", ["agent-b", "agent-n"])
def test_a_user_cannot_take_an_agent_that_is_not_theirs(
    site: Site, ada: str, agent_id: str
) -> None:
    before = site.position

    problem_of(site.post_job({"agent_id": agent_id}, ada), 409, "agent-taken")
    assert site.position == before


@pytest.mark.parametrize("job_id", ["bob's", "nobody's"])
def test_an_id_that_is_in_use_is_told_to_be_and_shows_nothing_else(
    site: Site, ada: str, job_id: str
) -> None:
    problem = problem_of(site.post_job({"agent_id": "agent-2", "job_id": job_id}, ada), 409)

    assert problem["type"].endswith("job-already-registered")
    assert not {"bob", "agent-b", "agent-n"} & set(problem.values())


def test_a_user_registers_no_id_that_callbacks_have_used(site: Site, ada: str) -> None:
    answer = site.post_job({"agent_id": "agent-2", "job_id": "unregistered"}, ada)

    problem_of(answer, 409, "job-already-registered")


def test_who_registers_an_id_first_sees_the_callbacks_that_come_for_it(
    site: Site, ada: str
) -> None:
    site.report("ada's", status="stopped")
    site.register("bob's next", "agent-2", "ada", token=ada)

    site.report("bob's next", status="failed", error="said by the workflow of Bob")

    assert site.job("bob's next", ada)["error"] == "said by the workflow of Bob"


def test_the_operator_may_give_an_agent_of_nobody_to_somebody(site: Site, ada: str) -> None:
    site.register("given", "agent-n", "ada")

    assert site.instance("agent-n", ada)["instance"]["id"] == "given"


def test_an_idempotency_key_of_another_user_leads_nowhere(site: Site, ada: str) -> None:
    body, key = {"agent_id": "shared"}, {"Idempotency-Key": "key-1"}
    bobs = site.post_job({"agent_id": "agent-b"}, site.token("write", user_id="bob"), key)
    operators = site.post_job({"agent_id": "theirs"}, headers=key)

    hers = site.post_job(body, ada, key)

    assert [bobs.status_code, operators.status_code, hers.status_code] == [201, 201, 201]
    assert (body_of(hers)["duplicate"], body_of(hers)["user_id"]) == (False, "ada")


def test_a_user_stops_what_is_theirs(site: Site, ada: str) -> None:
    assert site.stop("agent-a", ada).status_code == 200
    assert site.instance("agent-a", ada)["instance"]["status"] == "stopping"


def test_metrics_are_for_those_who_see_everything(site: Site, ada: str) -> None:
    problem_of(site.get("/metrics", ada), 403, "missing-scope")


# What needs no token


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/api/openapi.json", "/api/docs"])
def test_health_and_documentation_need_no_token(memory_site: Site, path: str) -> None:
    assert memory_site.client.get(path).status_code == 200


def test_a_callback_needs_no_token_and_a_bad_one_does_not_hurt(memory_site: Site) -> None:
    answer = memory_site.callback(
        {"job_id": "job-1", "status": "failed"}, headers=bearer("nonsense")
    )

    assert answer.status_code == 200
