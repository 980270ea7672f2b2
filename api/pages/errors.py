"""Errors as pages, for a person with a browser; programs get problem documents."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

import msgspec
from flask import Response, request
from markupsafe import escape
from werkzeug.exceptions import HTTPException
from werkzeug.http import parse_accept_header

from api.http.callers.access import asked
from api.http.flask_side.app import App
from api.http.headers import header
from api.http.messages import Answer
from api.http.problems.documents import RETRY_AFTER_SECONDS, problem_of
from api.http.request_ids import REQUEST_ID
from api.pages.policy import POLICY, page

OF_PROGRAMS: Final = "/api/"
"""Paths below this are answered with problem documents, whoever asks."""
MESSAGES: Final = ("retry-after", "allow", "www-authenticate")
"""Headers of a problem document that its page has, too."""
MAX_ACCEPT: Final = 1024
"""A longer `Accept` is no browser's. To read one of 58 KiB takes 110 ms, and a stranger can let the
event loop do that: 290 connections held up callbacks by 13 s."""
BARE: Final = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} · Milepost</title>
<link rel="stylesheet" href="{prefix}/static/milepost.css">
<main><h1>{title}</h1><p>{detail}</p><p><a class="button" href="">Try again</a></p></main>
"""
"""A page without what only a request in Flask knows."""
FRAMED: Final = "embed"
"""The blueprint of the pages that may be in a frame."""
OF_THE_PAST: Final = "job.show"
"""The page whose address may ask for a version or a time."""
OF_THE_QUERY: Final = (HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND)
"""What a page answers whose address has a query that does not fit."""
NOTHING_HERE: Final = "There is nothing at this address that you may see."


def install(app: App) -> None:
    """Answer errors of pages with a page."""

    def explained(error: Exception) -> Response:
        answer = problem_of(error, request.method, request.path, request.root_path)
        is_for_a_person = wants_a_page(request.path, header("Accept"))
        return page_of(answer) if is_for_a_person else app.make_response(answer)

    app.register_error_handler(Exception, explained)
    app.register_error_handler(HTTPException, explained)


def wants_a_page(path: str, accept: str | None) -> bool:
    """Tell whether a request comes from a person's browser and is about a page."""
    if path.startswith(OF_PROGRAMS) or not accept or len(accept) > MAX_ACCEPT:
        return False
    accepted = parse_accept_header(accept)
    return any(kind == "text/html" and quality > 0 for kind, quality in accepted)


def page_of(answer: Answer) -> Response:
    """Return the page that says what a problem document does."""
    problem = msgspec.json.decode(answer.body)
    is_missing = problem["title"] == HTTPStatus.NOT_FOUND.phrase
    return error_page(
        answer.status,
        problem["title"],
        NOTHING_HERE if is_missing else problem.get("detail", ""),
        headers=[pair for pair in answer.headers if pair[0].lower() in MESSAGES],
    )


def error_page(
    status: int,
    title: str,
    detail: str,
    *,
    may_sign_in: bool = False,
    headers: Sequence[tuple[str, str]] = (),
) -> Response:
    """Return the page that says why another one is not shown, and where to go from here."""
    named = dict(headers)
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        named.setdefault("Retry-After", str(RETRY_AFTER_SECONDS))
    is_missing = status == HTTPStatus.NOT_FOUND
    is_of_the_past = request.endpoint == OF_THE_PAST and (
        "version" in request.args or "at" in request.args
    )
    return page(
        "error.html",
        status,
        [*named.items(), ("Cache-Control", "no-store")],
        number=int(status),
        heading=title,
        said=detail,
        # A visitor with a link can neither sign in nor see other pages.
        is_framed=request.blueprint == FRAMED and asked().link is not None,
        passes=status >= HTTPStatus.INTERNAL_SERVER_ERROR,
        logged_as=REQUEST_ID.get() if status == HTTPStatus.INTERNAL_SERVER_ERROR else "",
        may_sign_in=may_sign_in,
        may_lack_the_past=status in OF_THE_QUERY and is_of_the_past,
        looked_for=_looked_for() if is_missing and not is_of_the_past else None,
    )


def _looked_for() -> str | None:
    """Return the id of a job or an agent that the address names, so that one can look for it."""
    given = request.view_args or {}
    return given.get("job_id") or given.get("agent_id")


def bare_page(answer: Answer, prefix: str) -> Answer:
    """Return the page that says what a problem document does, where Flask cannot render one.

    The front answers so while its threads are busy, or while it is about to end.
    """
    problem = msgspec.json.decode(answer.body)
    passed_on = [pair for pair in answer.headers if pair[0].lower() in MESSAGES]
    headers = [
        *passed_on,
        ("Content-Type", "text/html; charset=utf-8"),
        ("Cache-Control", "no-store"),
    ]
    body = BARE.format(
        title=escape(problem["title"]),
        detail=escape(problem.get("detail", "")),
        prefix=escape(prefix),
    )
    return Answer(answer.status, [*headers, ("Content-Security-Policy", POLICY)], body.encode())
