"""Pages are for visitors that may look, and forms of pages for those who have signed in."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest
from flask import g, url_for
from werkzeug.test import TestResponse

from api.app import create_app
from api.http.flask_side.app import App
from api.pages import visitor
from api.pages.visitor import for_visitors
from api.sessions import form_token
from api.settings.settings import Settings
from domain.errors import JobNotFound
from tests.support.stores.deployment import Deployment
from tests.support.web.front import FrontDoor
from tests.support.web.site import ADMIN, Site, bearer

PAGE = "/page/job-1"
FORM = f"{PAGE}/change"


@for_visitors("read")
def show(job_id: str) -> str:
    """Show what the visitor may do."""
    if job_id == "none":
        raise JobNotFound
    return f"{job_id} {g.principal.name} {visitor.may('write')} {visitor.csrf()}"


@for_visitors("read")
def embedded(job_id: str) -> str:
    """Show where the visitor finds another path."""
    where = url_for("show", job_id=job_id)
    return f"{visitor.came_by_link()} {visitor.link_for(where)}"


@for_visitors("write")
def change(job_id: str) -> str:
    """Say that something was changed."""
    return f"changed {job_id}"


@cache
def app_with_pages() -> App:
    """The application with a page and a form of no meaning."""
    nothing: Any = SimpleNamespace(settings=Settings(home=Path("unused"), database_url=""))
    app = create_app(nothing)
    app.add_url_rule("/page/<id:job_id>", view_func=show)
    app.add_url_rule("/embedded/<id:job_id>", view_func=embedded)
    app.add_url_rule("/page/<id:job_id>/change", view_func=change, methods=["POST"])
    return app


@pytest.fixture
def pages(memory: Deployment, door: FrontDoor | None) -> Iterator[Site]:
    """A site with these pages, at each door."""
    site = Site(memory)
    site.app = app_with_pages()
    site.app.extensions["milepost"] = site.services
    site.client = site.app.test_client(use_cookies=False)
    if door is None:
        yield site
        return
    with door.opened(site.app, site.services) as site.client:
        yield site


def send(site: Site, cookie: str, csrf: str | None = None, **headers: str) -> TestResponse:
    """Send the form, with the proof of the cookie's session unless another one is given."""
    proof = form_token(cookie.partition("=")[2]) if csrf is None else csrf
    sent = {"Cookie": cookie, **headers}
    return site.client.post(FORM, data={"csrf": proof}, headers=sent)


def test_who_has_signed_in_sees_the_page(pages: Site) -> None:
    cookie = pages.sign_in(pages.token("read", name="ada"))

    answer = pages.look(PAGE, cookie)

    assert answer.text == f"job-1 ada False {form_token(cookie.partition('=')[2])}"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers.getlist("Referrer-Policy") == ["same-origin"]
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]


def test_a_token_in_the_header_sees_the_page_without_forms(pages: Site) -> None:
    assert pages.get(PAGE).text == "job-1 admin True "


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        (PAGE, "/page/job-1"),
        (f"{PAGE}?version=3&x=a%20b", "/page/job-1?version=3&x=a%20b"),
        ("/page/a%20b/%C3%A9", "/page/a%20b/%C3%A9"),
        ("/page//evil.example", "/page//evil.example"),
    ],
)
def test_who_has_not_signs_in_first_and_comes_back(pages: Site, asked: str, wanted: str) -> None:
    answer = pages.client.get(asked)

    assert answer.status_code == 303
    assert answer.headers["Cache-Control"] == "no-store"
    form = pages.client.get(answer.headers["Location"])
    value = wanted.replace("&", "&amp;")
    assert f'name="next" value="{value}"' in form.text


def test_an_ended_session_signs_in_again(pages: Site) -> None:
    token = pages.token("read")
    cookie = pages.sign_in(token)
    pages.services.tokens.revoke(token.split("_")[1], "now")

    answer = pages.look(PAGE, cookie)

    assert answer.headers["Location"] == "/sign-in?next=%2Fpage%2Fjob-1"


def test_a_wrong_token_in_the_header_is_told_so(pages: Site) -> None:
    answer = pages.get(PAGE, "nonsense")

    assert answer.status_code == 401
    assert answer.content_type == "text/html; charset=utf-8"
    assert "Invalid token" in answer.text


def test_what_is_not_there_is_a_page_too(pages: Site) -> None:
    answer = pages.get("/page/none")

    assert answer.status_code == 404
    assert "<h1>Job not found</h1>" in answer.text
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_missing_scope_is_a_page_too(pages: Site) -> None:
    answer = pages.get(PAGE, pages.token("write"))

    assert answer.status_code == 403
    assert "lacks the scope" in answer.text


# Forms


def test_a_form_of_our_page_is_taken(pages: Site) -> None:
    cookie = pages.sign_in(pages.token("read", "write"))

    assert send(pages, cookie).text == "changed job-1"
    assert send(pages, cookie, Origin="http://localhost").text == "changed job-1"


@pytest.mark.parametrize("csrf", ["", "x", "A" * 43, "\xe9", form_token("A" * 43)])
def test_a_form_without_the_proof_of_its_session_is_refused(pages: Site, csrf: str) -> None:
    answer = send(pages, pages.sign_in(), csrf)

    assert answer.status_code == 403
    assert "Nothing was changed" in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
)
def test_a_form_of_another_site_is_refused_even_with_the_proof(
    pages: Site, headers: dict[str, str]
) -> None:
    assert send(pages, pages.sign_in(), **headers).status_code == 403


def test_a_form_of_a_session_that_may_not_is_refused(pages: Site) -> None:
    answer = send(pages, pages.sign_in(pages.token("read")))

    assert answer.status_code == 403
    assert "lacks the scope" in answer.text


def test_a_form_of_an_ended_session_changes_nothing(pages: Site) -> None:
    cookie = pages.sign_in()
    pages.clock.advance(40 * 86400)

    answer = send(pages, cookie)

    assert answer.status_code == 401
    assert "Sign in" in answer.text


def test_a_program_with_a_token_needs_no_form(pages: Site) -> None:
    assert pages.client.post(FORM, headers=bearer(ADMIN)).text == "changed job-1"
    assert pages.client.post(FORM).status_code == 401


# Links


def link_to(site: Site, path: str, token: str = ADMIN, seconds: int = 60) -> str:
    """Return an address with a link."""
    issuer = "admin" if token == ADMIN else token.split("_")[1]
    until = int(site.clock().timestamp()) + seconds
    return f"{quote(path)}?link={site.services.links.make(path, issuer, until)}"


def test_a_link_shows_the_page_without_buttons(pages: Site) -> None:
    answer = pages.client.get(link_to(pages, PAGE))

    assert answer.text == "job-1 admin False "
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers.getlist("Referrer-Policy") == ["no-referrer"]


def test_a_page_of_a_link_leads_on_by_links_that_end_with_it(pages: Site) -> None:
    token = pages.token("read", name="ada")
    answer = pages.client.get(link_to(pages, "/embedded/a b/c?d%", token))

    came_by_link, _, further = answer.text.partition(" ")
    assert came_by_link == "True"
    assert further.startswith("/page/a%20b/c%3Fd%25?link=")
    assert pages.client.get(further).text == "a b/c?d% ada False "
    pages.clock.advance(60)
    assert pages.client.get(further).status_code == 401


def test_a_page_of_a_session_leads_on_without_links(pages: Site) -> None:
    assert pages.look("/embedded/job-1", pages.sign_in()).text == "False /page/job-1"


def test_a_link_leads_on_behind_a_prefix(memory: Deployment, door: FrontDoor | None) -> None:
    site = Site(memory, trusted_proxies=["127.0.0.1"])
    app = create_app(site.services)
    app.add_url_rule("/page/<id:job_id>", view_func=show)
    app.add_url_rule("/embedded/<id:job_id>", view_func=embedded)
    client = app.test_client(use_cookies=False)
    headers = {"X-Forwarded-Prefix": "/milepost"}

    shown = client.get(link_to(site, "/embedded/job-1"), headers=headers)

    where = shown.text.partition(" ")[2]
    assert where.startswith("/milepost/page/job-1?link=")
    inner = where.removeprefix("/milepost")
    assert client.get(inner, headers=headers).status_code == 200
    assert client.get(inner).status_code == 200


def test_an_ended_link_is_told_so_and_asks_nobody_to_sign_in(pages: Site) -> None:
    where = link_to(pages, PAGE)
    pages.clock.advance(60)

    answer = pages.client.get(where)

    assert answer.status_code == 401
    assert "Ask who gave you the link for a new one" in answer.text
    assert answer.headers.getlist("Referrer-Policy") == ["no-referrer"]
    assert where.partition("link=")[2] not in answer.text


def test_a_form_needs_more_than_a_link(pages: Site) -> None:
    assert pages.client.post(link_to(pages, FORM)).status_code == 401
