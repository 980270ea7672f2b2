"""Behind a real nginx, under a path of its own: links, streams and pages work, as the docs say."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
from collections.abc import Iterator
from contextlib import closing
from copy import copy
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, expect

from tests.support.people.browsing import Visitor, active_step, connected
from tests.support.people.shown_code import block
from tests.support.processes.chromium import chromium
from tests.support.processes.nginx import nginx
from tests.support.processes.server import TOKEN, Answer, Server

PREFIX = "/milepost"
WAYS = {"paths as they are": True, "without the prefix": False}
"""What nginx does, as the first line of its configuration says, and whether Milepost knows it."""
AS_A_CLIENT = {"Authorization": f"Bearer {TOKEN}", "Host": "tools.example"}


class Site(NamedTuple):
    """A server, and the port of the nginx in front of it."""

    server: Server
    port: int

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        """Ask through nginx, as a client does that knows it as tools.example."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            sent = None if body is None else json.dumps(body)
            connection.request(method, path, sent, {**AS_A_CLIENT, **headers})
            answer = connection.getresponse()
            text = answer.read().decode()
            parsed: Any = json.loads(text) if text[:1] in ("{", "[") else text
            return Answer(answer.status, parsed, dict(answer.getheaders()))
        finally:
            connection.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser."""
    with chromium() as started:
        yield started


@pytest.fixture(scope="module", params=WAYS)
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """Milepost behind nginx, in each of the two ways; each test has jobs of its own."""
    folder = tmp_path_factory.mktemp("site")
    server = Server(folder)
    server.env["MILEPOST_TRUSTED_PROXIES"] = "127.0.0.1"
    if WAYS[request.param]:
        server.env["MILEPOST_PATH_PREFIX"] = PREFIX
    shown = block("setup/proxy.md", f"# milepost.conf: {request.param}")
    assert "127.0.0.1:8000" in shown
    ours = shown.replace("127.0.0.1:8000", f"127.0.0.1:{server.port}")
    try:
        server.start()
        with nginx(folder / "nginx", ours) as port:
            yield Site(server, port)
    finally:
        server.kill()


def test_links_lead_through_nginx(site: Site) -> None:
    job = {"job_id": "a job/1", "agent_id": "agent-1", "user_id": "ada"}
    made = site.ask("POST", "/milepost/api/jobs", job)

    assert made.status == 201
    assert made.headers["location"] == "/milepost/api/jobs/a%20job/1"
    assert site.ask("GET", made.headers["location"]).body["id"] == "a job/1"
    assert made.body["callback_url"] == "http://tools.example/milepost/api/callbacks/a%20job%2F1"
    other = {"job_id": "job-2", "agent_id": "agent-2", "user_id": "bob"}
    position = site.ask("POST", "/milepost/api/jobs", other).body["position"]
    page = site.ask("GET", f"/milepost/api/jobs?limit=1&min_position={position}")
    following = page.headers["link"].partition("<")[2].partition(">")[0]
    assert following.startswith("/milepost/api/jobs?")
    assert site.ask("GET", following).body["jobs"][0]["id"] == "a job/1"
    missing = site.ask("GET", "/milepost/api/jobs/job-3")
    assert missing.body["instance"] == "/milepost/api/jobs/job-3"
    assert site.ask("GET", "/milepost/api/openapi.json").body["servers"] == [{"url": "/milepost"}]


def test_a_callback_comes_through_at_the_url_that_the_registration_names(site: Site) -> None:
    job = {"job_id": "called job/1", "agent_id": "agent-3", "user_id": "cleo"}
    made = site.ask("POST", "/milepost/api/jobs", job).body
    path = made["callback_url"].removeprefix("http://tools.example")
    body = {"status": "provisioning"}
    signature = hmac.new(made["callback_key"].encode(), json.dumps(body).encode(), hashlib.sha256)

    assert site.ask("POST", path, body).status == 401, "it is not signed"
    signed = site.ask("POST", path, body, **{"X-Signature": signature.hexdigest()})
    assert signed.status == 200
    assert signed.body["job_id"] == "called job/1"


def test_a_stream_comes_through_as_it_happens(site: Site) -> None:
    job = {"job_id": "watched/1", "agent_id": "agent-4", "user_id": "dan"}
    assert site.ask("POST", "/milepost/api/jobs", job).status == 201
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=20)
    connection.request(
        "GET", f"/milepost/api/jobs/{quote('watched/1', '')}/stream", headers=AS_A_CLIENT
    )
    with closing(connection), connection.getresponse() as answer:
        assert answer.status == 200
        seen = []
        for status in ("provisioning", "running"):
            seen.append(next_document(answer)["status"])
            assert site.server.callback({"job_id": "watched/1", "status": status}).status == 200
        seen.append(next_document(answer)["status"])

        assert seen == ["pending", "provisioning", "running"]
        assert next_document(answer) == {"status": "running", "outcome": "running"}
        assert answer.read() == b"\n", "the stream ends with its job"


def next_document(answer: http.client.HTTPResponse) -> Any:
    """Return the data of the next block that has some; nginx must not keep it back."""
    while line := answer.readline():
        if line.startswith(b"data: "):
            return json.loads(line.removeprefix(b"data: "))
    raise AssertionError("the stream has ended")


@pytest.mark.parametrize("path", ["/milepost/milepost/readyz", "/readyz", "/milepostreadyz"])
def test_only_what_is_under_the_prefix_comes_through(site: Site, path: str) -> None:
    assert site.ask("GET", path).status == 404


def test_pages_find_what_they_need(site: Site, browser: Browser) -> None:
    context = browser.new_context()
    page = context.new_page()
    amiss: list[str] = []
    page.on("requestfailed", lambda request: amiss.append(request.url))
    page.on("response", lambda answer: amiss.extend([] if answer.ok else [answer.url]))
    page.on("pageerror", lambda error: amiss.append(str(error)))

    page.goto(f"http://127.0.0.1:{site.port}/milepost/api/docs")

    expect(page.locator(".opblock").first).to_be_visible()
    expect(page.locator(".servers option")).to_have_text("/milepost")
    context.close()
    assert amiss == []


def test_a_page_is_live_and_its_cookie_is_for_the_prefix_alone(
    site: Site, browser: Browser
) -> None:
    assert site.server.callback({"job_id": "a/b", "status": "provisioning"}).status == 200
    through = copy(site.server)
    through.port = site.port
    visitor = Visitor(browser, through, token=None)
    amiss: list[str] = []
    visitor.context.on("response", lambda it: amiss.extend([it.url] if it.status >= 400 else []))
    page = visitor.open("/milepost/jobs/a/b")
    page.get_by_label("Token").fill(TOKEN)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(f"{through.url}/milepost/jobs/a/b")
    connected(visitor)

    site.server.callback({"job_id": "a/b", "status": "provisioning", "step": "vm_created"})

    expect(active_step(page)).to_have_text("Installing Dependencies")
    [cookie] = visitor.context.cookies()
    assert cookie["path"] == "/milepost/"
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(f"{through.url}/milepost/sign-in")
    assert visitor.context.cookies() == []
    visitor.close()
    assert amiss == []
