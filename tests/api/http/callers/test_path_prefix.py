"""Behind a path prefix, every route is found, and everything that leads to one has the prefix."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from api.app import create_app
from api.http.callers.proxies import Proxies
from api.settings.checks.path_prefix import OWN
from api.settings.settings import Settings
from tests.support.stores.deployment import Deployment
from tests.support.web.doors import opened
from tests.support.web.front import FrontDoor
from tests.support.web.site import Site, bearer, body_of, like_jq, problem_of, sign

PREFIX = "/milepost"


@pytest.fixture
def prefixed(memory: Deployment, door: FrontDoor | None) -> Iterator[Site]:
    """A site behind a prefix, with one job."""
    for site in opened(memory, door, path_prefix=PREFIX):
        site.register()
        yield site


@pytest.fixture(params=["taken off", "left"])
def root(request: pytest.FixtureRequest) -> str:
    """What the proxy leaves of the prefix."""
    return PREFIX if request.param == "left" else ""


@pytest.mark.parametrize(
    "path",
    [
        "/livez",
        "/readyz?verbose",
        "/metrics",
        "/jobs",
        "/sign-in",
        "/api/jobs",
        "/api/jobs/job-1",
        "/api/jobs/job-1?version=1",
        "/api/agents/agent-1/instance",
        "/api/docs",
    ],
)
def test_every_route_is_found(prefixed: Site, root: str, path: str) -> None:
    assert prefixed.get(f"{root}{path}").status_code == 200


def test_a_callback_is_taken(prefixed: Site, root: str) -> None:
    body = like_jq({"job_id": "job-1", "status": "provisioning"})
    headers = {"X-Signature": sign(body)}

    for path in ("/api/webhooks/github", "/api/callbacks", "/api/callbacks/job-1"):
        assert prefixed.client.post(f"{root}{path}", data=body, headers=headers).status_code == 200


def test_everything_that_leads_somewhere_has_the_prefix(prefixed: Site, root: str) -> None:
    job = {"job_id": "job-2", "agent_id": "agent-2", "user_id": "user-2"}
    registered = prefixed.client.post(
        f"{root}/api/jobs",
        json=job,
        headers={**bearer("the-admin-token-of-the-tests"), "Host": "m"},
    )
    prefixed.project()

    assert registered.headers["Location"] == "/milepost/api/jobs/job-2"
    assert body_of(registered)["callback_url"] == "http://m/milepost/api/callbacks/job-2"
    page = prefixed.get(f"{root}/api/jobs?limit=1")
    assert page.headers["Link"].startswith("</milepost/api/jobs?limit=1&cursor=")
    assert prefixed.get(f"{root}/").headers["Location"].startswith("/milepost/")
    document = body_of(prefixed.get(f"{root}/api/openapi.json"))
    assert document["servers"] == [{"url": "/milepost"}]
    for path in ("/api/docs", "/jobs", "/sign-in"):
        html = prefixed.get(f"{root}{path}").text
        assert 'src="/milepost/' in html
        assert 'src="/static' not in html


@pytest.mark.parametrize(
    "path",
    ["/api/jobs/job-3", "/api/jobs/job-3?version=1", "/no-such-page", "/api/jobs/job-3/stream"],
)
def test_a_problem_is_at_the_path_that_the_client_asked_for(
    prefixed: Site, root: str, path: str
) -> None:
    found = problem_of(prefixed.get(f"{root}{path}"), 404)

    assert found["instance"] == f"/milepost{path.partition('?')[0]}"


def test_the_prefix_alone_leads_to_the_pages(prefixed: Site) -> None:
    assert prefixed.get("/milepost").headers["Location"].startswith("/milepost/")
    assert prefixed.get("/milepost/").headers["Location"].startswith("/milepost/")


def test_what_only_begins_like_the_prefix_is_another_path(prefixed: Site) -> None:
    assert prefixed.get("/milepostapi/jobs").status_code == 404
    assert prefixed.get("/Milepost/api/jobs").status_code == 404


def test_the_document_names_no_server_without_a_prefix(memory_site: Site) -> None:
    assert "servers" not in memory_site.read("/api/openapi.json")


# What a trusted proxy names


@pytest.fixture
def named(memory: Deployment, door: FrontDoor | None) -> Iterator[Site]:
    """A site with a prefix, whose trusted proxy names another one."""
    for site in opened(memory, door, path_prefix=PREFIX, trusted_proxies=["127.0.0.1"]):
        site.register()
        yield site


def test_the_prefix_that_a_trusted_proxy_names_goes_first(named: Site) -> None:
    headers = {"X-Forwarded-Prefix": "/deploys/"}

    assert named.get("/api/jobs/job-1", headers=headers).status_code == 200
    missing = named.get("/api/jobs/job-2", headers=headers)
    assert problem_of(missing, 404)["instance"] == "/deploys/api/jobs/job-2"
    document = body_of(named.get("/api/openapi.json", headers=headers))
    assert document["servers"] == [{"url": "/deploys"}]
    assert body_of(named.get("/api/openapi.json"))["servers"] == [{"url": "/milepost"}]


@pytest.mark.parametrize("path", ["/readyz", "/api/jobs/job-1", "/metrics"])
def test_a_proxy_that_names_its_prefix_is_not_led_around_its_rules(named: Site, path: str) -> None:
    """It forbids `/milepost/readyz`, say, and passes on `/milepost/milepost/readyz`."""
    headers = {"X-Forwarded-Prefix": PREFIX}

    assert named.get(f"/milepost{path}", headers=headers).status_code == 404


def test_a_server_that_has_split_the_path_is_believed(prefixed: Site) -> None:
    """As gunicorn does with SCRIPT_NAME."""
    split: dict[str, Any] = {"SCRIPT_NAME": "/elsewhere", "PATH_INFO": "/milepost/api/jobs"}

    Proxies((), PREFIX).resolve(split)

    assert split == {"SCRIPT_NAME": "/elsewhere", "PATH_INFO": "/milepost/api/jobs"}


def test_no_prefix_can_be_taken_for_a_path_of_milepost() -> None:
    nothing: Any = SimpleNamespace(settings=Settings(home=Path("unused"), database_url=""))
    rules = create_app(nothing).url_map.iter_rules()

    assert {rule.rule.split("/")[1] for rule in rules} - {""} <= OWN
