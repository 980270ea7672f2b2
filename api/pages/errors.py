"""Errors as pages, for a person with a browser; programs get problem documents."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

import msgspec
from flask import Response, request
from werkzeug.exceptions import HTTPException
from werkzeug.http import parse_accept_header

from api.http.flask_side.app import App
from api.http.headers import header
from api.http.messages import Answer
from api.http.problems.documents import problem_of
from api.pages.policy import page

OF_PROGRAMS: Final = "/api/"
"""Paths below this are answered with problem documents, whoever asks."""
OF_A_DOCUMENT: Final = ("content-type", "content-length")
SAID: Final = {
    HTTPStatus.UNAUTHORIZED: "Sign in to see this page.",
    HTTPStatus.NOT_FOUND: "There is nothing at this address that you may see.",
}
"""What a page says in other words than a problem document, which speaks to a program."""


def install(app: App) -> None:
    """Answer errors of pages with a page."""

    def explained(error: Exception) -> Response:
        answer = problem_of(error, request.method, request.path)
        return page_of(answer) if wants_a_page() else app.make_response(answer)

    app.register_error_handler(Exception, explained)
    app.register_error_handler(HTTPException, explained)


def wants_a_page() -> bool:
    """Tell whether the request comes from a person's browser and is about a page."""
    if request.path.startswith(OF_PROGRAMS):
        return False
    accepted = parse_accept_header(header("Accept"))
    return any(kind == "text/html" and quality > 0 for kind, quality in accepted)


def page_of(answer: Answer) -> Response:
    """Return the page that says what a problem document does."""
    problem = msgspec.json.decode(answer.body)
    headers = [pair for pair in answer.headers if pair[0].lower() not in OF_A_DOCUMENT]
    return page(
        "error.html",
        answer.status,
        [*headers, ("Cache-Control", "no-store")],
        number=answer.status,
        heading=problem["title"],
        said=SAID.get(HTTPStatus(answer.status)) or problem.get("detail", ""),
        passes=answer.status == HTTPStatus.SERVICE_UNAVAILABLE,
    )
