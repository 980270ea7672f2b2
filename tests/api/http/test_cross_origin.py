"""Pages of named origins may read, and nobody else's: behind both doors, errors and streams too."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from werkzeug.datastructures import Headers
from werkzeug.test import TestResponse

from api.serving.http1.incoming import Ends, Incoming
from tests.support.stores.deployment import Deployment
from tests.support.web.doors import opened
from tests.support.web.front import FrontDoor
from tests.support.web.site import ADMIN, Site, bearer, like_jq
from tests.support.web.streaming import Live, live

APP, OTHER = "https://app.example", "https://other.example"
FROM_APP = {"Origin": APP}
READ = (
    "/api/jobs/job-1",
    "/api/jobs/job-1?version=1",
    "/api/jobs",
    "/api/jobs/job-1/events",
    "/api/agents/agent-1/instance",
    "/api/openapi.json",
)
"""Paths that are answered on the event loop, and by Flask."""


@pytest.fixture
def open_site(memory: Deployment, door: FrontDoor | None) -> Iterator[Site]:
    """A site whose operator named two origins, with one job."""
    for site in opened(memory, door, cors_origins=(APP, "http://localhost:3000")):
        site.register()
        yield site


def of_cors(headers: Headers) -> list[str]:
    """Return the names of an answer's headers that are about other origins."""
    return [name for name in headers.keys() if name.lower().startswith("access-control-")]  # noqa: SIM118


def varies_by_origin(answer: TestResponse) -> bool:
    return "Origin" in answer.headers.getlist("Vary")


def asked(site: Site, path: str, method: str = "GET", **headers: str) -> TestResponse:
    """Ask as the browser does before a page's request."""
    sent = {"Origin": APP, "Access-Control-Request-Method": method, **headers}
    return site.client.options(path, headers=sent)


def assert_readable(answer: TestResponse) -> None:
    """Check that a page of the named origin may read an answer, and no cookie counts."""
    assert answer.headers.getlist("Access-Control-Allow-Origin") == [APP]
    assert answer.headers["Access-Control-Expose-Headers"] == (
        "ETag, Link, Retry-After, Preference-Applied, X-Request-Id"
    )
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert varies_by_origin(answer)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", READ)
def test_a_page_of_a_named_origin_reads(open_site: Site, path: str, method: str) -> None:
    headers = {**bearer(ADMIN), **FROM_APP}

    answer = open_site.client.open(path, method=method, headers=headers)

    assert answer.status_code == 200
    assert_readable(answer)


@pytest.mark.parametrize(
    ("path", "token", "status"),
    [
        ("/api/jobs/job-1", "guessed", 401),
        ("/api/jobs/job-1/stream", "guessed", 401),
        ("/api/jobs", "guessed", 401),
        ("/api/jobs/job-2", ADMIN, 404),
        ("/api/jobs/job-1/events?limit=x", ADMIN, 400),
        ("/api/no-such-thing", ADMIN, 404),
    ],
)
def test_a_page_reads_why_it_is_refused(
    open_site: Site, path: str, token: str, status: int
) -> None:
    answer = open_site.client.get(path, headers={**bearer(token), **FROM_APP})

    assert answer.status_code == status
    assert_readable(answer)


def test_a_page_reads_that_nothing_has_changed(open_site: Site) -> None:
    tag = open_site.get("/api/jobs/job-1").headers["ETag"]

    answer = open_site.get("/api/jobs/job-1", headers={**FROM_APP, "If-None-Match": tag})

    assert answer.status_code == 304
    assert_readable(answer)


@pytest.mark.parametrize(
    "origin", [OTHER, "null", "http://app.example", f"{APP}:8443", APP.upper()]
)
@pytest.mark.parametrize("path", ["/api/jobs/job-1", "/api/jobs"])
def test_a_page_of_another_origin_reads_nothing(open_site: Site, path: str, origin: str) -> None:
    answer = open_site.get(path, headers={"Origin": origin})

    assert of_cors(answer.headers) == []
    assert varies_by_origin(answer), "a cache would show the named origin an answer without it"


@pytest.mark.parametrize("path", ["/api/jobs/job-1", "/api/jobs"])
def test_an_answer_to_nobody_in_particular_varies_by_origin_too(open_site: Site, path: str) -> None:
    answer = open_site.get(path)

    assert of_cors(answer.headers) == []
    assert varies_by_origin(answer)


def test_a_page_changes_nothing(open_site: Site) -> None:
    """A browser sends a plain POST of any page, so what counts is that no answer is readable."""
    client, headers = open_site.client, {**bearer(ADMIN), **FROM_APP}
    answers = [
        client.post("/api/callbacks", data=like_jq({"job_id": "job-1"}), headers=headers),
        client.post("/api/jobs", json={"agent_id": "agent-2"}, headers=headers),
        client.post("/api/jobs/job-1/cancel", json={}, headers=headers),
        client.delete("/api/agents/agent-1/instance", headers=headers),
    ]

    assert [of_cors(answer.headers) for answer in answers] == [[]] * 4


@pytest.mark.parametrize("path", ["/livez", "/audit", "/metrics"])
def test_what_is_no_part_of_the_api_stays_as_it_is(open_site: Site, path: str) -> None:
    answer = open_site.get(path, headers=FROM_APP)

    assert of_cors(answer.headers) == []
    assert not varies_by_origin(answer)


# Before a request with a token


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", [*READ, "/api/jobs/job-1/stream", "/api/stream?status=running"])
def test_a_browser_may_send_a_token_to_read(open_site: Site, path: str, method: str) -> None:
    answer = asked(open_site, path, method)

    assert answer.status_code == 204
    assert answer.data == b""
    assert answer.headers.getlist("Access-Control-Allow-Origin") == [APP]
    assert answer.headers["Access-Control-Allow-Methods"] == "GET, HEAD"
    assert answer.headers["Access-Control-Allow-Headers"] == (
        "Authorization, Last-Event-ID, If-None-Match, Prefer"
    )
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert "Access-Control-Allow-Private-Network" not in answer.headers
    assert varies_by_origin(answer)


@pytest.mark.parametrize("method", ["POST", "DELETE", "PUT", "get", ""])
@pytest.mark.parametrize("path", ["/api/jobs", "/api/callbacks", "/api/agents/agent-1/instance"])
def test_a_browser_may_send_nothing_that_changes_something(
    open_site: Site, path: str, method: str
) -> None:
    assert of_cors(asked(open_site, path, method).headers) == []


@pytest.mark.parametrize(
    ("path", "origin"), [("/api/jobs", OTHER), ("/api/jobs/job-1", OTHER), ("/livez", APP)]
)
def test_a_browser_may_not_send_for_another_page_or_outside_of_the_api(
    open_site: Site, path: str, origin: str
) -> None:
    assert of_cors(asked(open_site, path, Origin=origin).headers) == []


def test_a_private_address_is_no_obstacle_for_a_named_origin(open_site: Site) -> None:
    answer = asked(
        open_site, "/api/jobs/job-1", **{"Access-Control-Request-Private-Network": "true"}
    )

    assert answer.headers["Access-Control-Allow-Private-Network"] == "true"


# Streams, and a server without room, which the front answers


def test_a_page_reads_a_stream(memory: Deployment) -> None:
    async def test(served: Live) -> None:
        reader = await served.ask("/api/jobs/job-1/stream", Origin=APP)
        assert reader.status == 200
        assert reader.headers["access-control-allow-origin"] == APP
        assert reader.headers["vary"] == "Origin"
        [first] = await reader.some(1)
        assert first.data["id"] == "job-1"
        other = await served.ask("/api/jobs/job-1/stream", Origin=OTHER)
        assert "access-control-allow-origin" not in other.headers

    site = Site(memory, cors_origins=(APP,))
    site.register()
    live(site, test)


def test_a_page_reads_that_there_is_no_room(memory: Deployment) -> None:
    async def test(served: Live) -> None:
        head = {b"origin": APP.encode()}
        ends = Ends(("192.0.2.1", 1), ("192.0.2.2", 2))
        asked = Incoming("GET", b"/api/stream", "1.1", head, b"", ends)
        answer = await served.front.answer_when_full(asked)
        assert answer.status == 503
        assert ("Access-Control-Allow-Origin", APP) in answer.headers

    live(Site(memory, cors_origins=(APP,)), test)


# Without the setting


@pytest.mark.parametrize("path", ["/api/jobs/job-1", "/api/jobs"])
def test_nobody_is_named_by_default(memory_site: Site, path: str) -> None:
    memory_site.register()
    tries: list[Callable[[], TestResponse]] = [
        lambda: memory_site.get(path, headers=FROM_APP),
        lambda: asked(memory_site, path),
    ]

    for answer in (each() for each in tries):
        assert of_cors(answer.headers) == []
        assert not varies_by_origin(answer)
