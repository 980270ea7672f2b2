"""What a proxy says of its client counts if it is trusted, and nothing that anybody else says."""

from __future__ import annotations

from typing import Any

import pytest
from flask import request, url_for

from api.app import create_app
from api.http.callers.proxies import MOST_HOPS, Proxies
from tests.support.stores.deployment import Deployment
from tests.support.web.site import ADMIN, Site, bearer

SAID = {
    "X-Forwarded-For": "203.0.113.7",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "milepost.example",
    "X-Forwarded-Prefix": "/deploys",
}


def resolved(trusted: list[str], peer: str, **said: str) -> dict[str, Any]:
    """Return an environment of a request of this peer, as a view sees it."""
    headers = {f"HTTP_X_FORWARDED_{name.upper()}": value for name, value in said.items()}
    environ = {"REMOTE_ADDR": peer, "wsgi.url_scheme": "http", "HTTP_HOST": "milepost", **headers}
    Proxies(trusted).resolve(environ)
    assert not [name for name in environ if "FORWARDED" in name]
    return environ


def location(site: Site) -> str:
    """Register a job, as a client that says all it can; return where the answer says it is."""
    body = {"job_id": "job-1", "agent_id": "agent-1"}
    answer = site.client.post("/api/jobs", json=body, headers={**bearer(ADMIN), **SAID})
    assert answer.status_code == 201
    return answer.headers["Location"]


def test_nobody_says_where_milepost_is_unless_it_is_a_trusted_proxy(memory_site: Site) -> None:
    assert location(memory_site) == "/api/jobs/job-1"


def test_links_lead_through_a_trusted_proxy(proxied_site: Site) -> None:
    assert location(proxied_site) == "/deploys/api/jobs/job-1"
    proxied_site.register("job-2", "agent-2", "user-2")
    proxied_site.project()

    page = proxied_site.get("/api/jobs?limit=1", headers=SAID)

    assert page.headers["Link"].startswith("</deploys/api/jobs?limit=1&cursor=")


def test_a_view_sees_the_client_of_a_trusted_proxy_and_how_it_addressed_the_proxy(
    memory: Deployment,
) -> None:
    app = create_app(Site(memory, trusted_proxies=["127.0.0.1"]).services)

    @app.get("/look")
    def look() -> list[str | None]:
        return [request.remote_addr, url_for("jobs.show", job_id="job-1", _external=True)]

    client = app.test_client()
    through = client.get("/look", headers=SAID).json
    assert through == ["203.0.113.7", "https://milepost.example/deploys/api/jobs/job-1"]
    direct = client.get("/look", headers={"Host": "milepost:8000"}).json
    assert direct == ["127.0.0.1", "http://milepost:8000/api/jobs/job-1"]


@pytest.mark.parametrize(
    ("peer", "said", "client"),
    [
        ("10.0.0.1", "203.0.113.7", "203.0.113.7"),
        ("10.0.0.1", "6.6.6.6, 203.0.113.7", "203.0.113.7"),
        ("10.0.0.1", "6.6.6.6, 203.0.113.7, 10.0.0.2", "203.0.113.7"),
        ("10.0.0.1", "203.0.113.7:4711", "203.0.113.7"),
        ("10.0.0.1", "[2001:db8::7]:4711", "2001:db8::7"),
        ("10.0.0.1", "6.6.6.6, unknown, 10.0.0.2", "10.0.0.2"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("::ffff:10.0.0.1", "203.0.113.7", "203.0.113.7"),
        ("192.0.2.1", "203.0.113.7", "192.0.2.1"),
        ("", "203.0.113.7", ""),
    ],
)
def test_the_client_is_the_last_address_that_is_no_trusted_proxy(
    peer: str, said: str, client: str
) -> None:
    """What stands before it, the client may have written itself."""
    environ = resolved(["10.0.0.0/8"], peer, **{"for": said, "proto": "http"})

    assert environ["REMOTE_ADDR"] == client


@pytest.mark.parametrize(
    ("name", "said", "key", "value"),
    [
        ("proto", "HTTPS", "wsgi.url_scheme", "https"),
        ("proto", "http, https", "wsgi.url_scheme", "https"),
        ("proto", "javascript", "wsgi.url_scheme", "http"),
        ("host", "evil.example, milepost.example:8443", "HTTP_HOST", "milepost.example:8443"),
        ("host", "[2001:db8::7]:8443", "HTTP_HOST", "[2001:db8::7]:8443"),
        ("host", "evil.example/a?b", "HTTP_HOST", "milepost"),
        ("prefix", "/a/b/", "SCRIPT_NAME", "/a/b"),
        ("prefix", "//evil.example", "SCRIPT_NAME", None),
        ("prefix", "/a\r\nX-Forged: b", "SCRIPT_NAME", None),
        ("prefix", "https://evil.example", "SCRIPT_NAME", None),
    ],
)
def test_of_each_header_the_last_value_counts_if_it_can_be_one(
    name: str, said: str, key: str, value: str | None
) -> None:
    assert resolved(["10.0.0.1"], "10.0.0.1", **{name: said}).get(key) == value


def test_without_trusted_proxies_nobody_is_one() -> None:
    assert not Proxies(()).trust("127.0.0.1")
    assert resolved([], "127.0.0.1", proto="https")["wsgi.url_scheme"] == "http"


def test_the_front_asks_a_trusted_proxy_for_its_client() -> None:
    proxies = Proxies(["10.0.0.0/8"])
    said: dict[str, str] = {"X-Forwarded-For": "203.0.113.7, 10.0.0.2"}
    assert proxies.client_of("10.0.0.1", said.get) == "203.0.113.7"
    assert proxies.client_of("203.0.113.9", said.get) == "203.0.113.9"
    assert proxies.client_of("10.0.0.1", lambda _: None) == "10.0.0.1"


def test_only_the_nearest_hops_are_looked_at() -> None:
    """A header of 60 KB has 20,000 of them."""
    hops = ["203.0.113.7", *["10.0.0.2"] * MOST_HOPS]
    assert resolved(["10.0.0.0/8"], "10.0.0.1", **{"for": ",".join(hops)})["REMOTE_ADDR"] == (
        "10.0.0.2"
    )
    assert resolved(["10.0.0.0/8"], "10.0.0.1", **{"for": ",".join(hops[:-1])})["REMOTE_ADDR"] == (
        "203.0.113.7"
    )


def test_the_zone_of_an_address_has_a_bound() -> None:
    for zone, client in (("eth0", "fe80::1%eth0"), ("x" * 5000, "10.0.0.1")):
        said = {"for": f"fe80::1%{zone}"}
        assert resolved(["10.0.0.1"], "10.0.0.1", **said)["REMOTE_ADDR"] == client
