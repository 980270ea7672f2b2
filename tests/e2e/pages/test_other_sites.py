"""What pages of other origins can do with the browser of somebody who has signed in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from tests.support.people.browsing import Visitor
from tests.support.processes.file_server import serving
from tests.support.processes.server import TOKEN, Server

OTHERS = pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
"""The first is of the same site as the server, whatever its port: a browser sends the cookie."""
JOB = "busy-1"


@contextmanager
def attacked(visitor: Visitor, host: str, page: str) -> Iterator[Page]:
    """Open a page of another origin."""
    with serving({"attack.html": page.encode()}) as origin:
        yield visitor.open(f"{origin.replace('127.0.0.1', host)}/attack.html")


def form(server: Server, path: str, **fields: str) -> str:
    """Return a page with a form that sends itself."""
    hidden = "".join(f'<input name="{name}" value="{value}">' for name, value in fields.items())
    return (
        f'<form method="post" action="{server.url}{path}">{hidden}<button>Go</button></form>'
        "<script>document.forms[0].submit()</script>"
    )


@OTHERS
def test_a_form_of_another_origin_gives_no_order(
    visitor: Visitor, server: Server, host: str
) -> None:
    with attacked(visitor, host, form(server, f"/jobs/{JOB}/cancel", reason="planted")) as page:
        expect(page.locator("main h1")).to_be_visible()

        assert page.url == f"{server.url}/jobs/{JOB}/cancel"
        assert server.get(f"/api/jobs/{JOB}").body["status"] == "provisioning"
        assert visitor.open(f"/jobs/{JOB}").url == f"{server.url}/jobs/{JOB}"
    visitor.complaints.clear()


@OTHERS
def test_a_form_of_another_origin_signs_nobody_in_or_out(
    visitor: Visitor, server: Server, host: str
) -> None:
    cookies = visitor.context.cookies()
    for path, fields in (("/sign-in", {"token": TOKEN}), ("/sign-out", {})):
        with attacked(visitor, host, form(server, path, **fields)) as page:
            expect(page.locator("main")).to_contain_text("Nothing was changed")

    assert visitor.context.cookies() == cookies
    assert visitor.open("/jobs").url == f"{server.url}/jobs"
    visitor.complaints.clear()


@OTHERS
def test_a_script_of_another_origin_reads_nothing(
    visitor: Visitor, server: Server, host: str
) -> None:
    with attacked(visitor, host, "<h1>An attack</h1>") as page:
        read = page.evaluate(
            "url => fetch(url, {credentials: 'include'}).then(() => 'read', () => 'refused')",
            f"{server.url}/api/jobs",
        )

    assert read == "refused"
    visitor.complaints.clear()


@OTHERS
def test_another_origin_frames_the_page_of_a_link_and_no_other(
    visitor: Visitor, server: Server, host: str
) -> None:
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    link = server.request("POST", f"/api/jobs/{JOB}/links", json.dumps({}).encode(), bearer).body
    framed = (link["url"], f"{server.url}/jobs/{JOB}", f"{server.url}/sign-in")
    frames = "".join(f'<iframe src="{address}"></iframe>' for address in framed)

    with attacked(visitor, host, frames) as page:
        expect(page.frame_locator("iframe >> nth=0").locator(".stepper")).to_be_visible()
        for number in (1, 2):
            refused = page.frame_locator(f"iframe >> nth={number}").locator("main")
            expect(refused).to_have_count(0)
    visitor.complaints.clear()


def test_the_browser_says_of_our_own_forms_where_they_come_from(
    stranger: Visitor, server: Server
) -> None:
    """Over plain HTTP, it says so in `Origin` alone, and not if the page sends no referrer."""
    page = stranger.open(f"/sign-in?next={quote(f'/jobs/{JOB}')}")
    page.get_by_label("Token").fill(TOKEN)
    with page.expect_request(f"{server.url}/sign-in") as sent:
        page.get_by_role("button", name="Sign in").click()

    assert sent.value.all_headers()["origin"] == server.url
    expect(page).to_have_url(f"{server.url}/jobs/{JOB}")
    [cookie] = stranger.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Lax", "/")
    assert page.evaluate("document.cookie") == ""
