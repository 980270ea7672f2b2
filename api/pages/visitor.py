"""Visitors of pages: who looks, what he may do, and where he goes if he may not look.

A view of a page stands under `for_visitors`. A GET is for who has signed in, or has a token. A form
is for who has signed in, and counts only if one of our own pages sent it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Final, ParamSpec
from urllib.parse import unquote, urlencode

from flask import Response, current_app, g, make_response, redirect, request, url_for
from flask.typing import ResponseReturnValue

from api.errors import InvalidSession, InvalidToken, MissingToken
from api.http.callers.access import (
    LOOKING,
    admitted,
    asked,
    granted,
    known_to,
    principal,
    secret_of,
    services,
    visitor,
)
from api.http.headers import header
from api.http.problems.documents import explained
from api.http.problems.kinds import KINDS
from api.links import NAME
from api.pages.errors import FRAMED, error_page
from api.pages.forms import check_csrf, check_origin, own_path, wanted_path
from api.pages.policy import NAME as POLICY_NAME
from api.pages.policy import framed_by
from api.sessions import form_token
from api.tokens import Principal, Scope
from domain.errors import MilepostError

Parameters = ParamSpec("Parameters")

STRANGERS: Final = (MissingToken, InvalidToken, InvalidSession)
"""The errors of who may look after signing in."""
NO_STORE: Final = "no-store"
"""Who has signed out must not see a page again with the browser's back button."""
OF_OURSELVES: Final = "same-origin"
"""With no-referrer, a browser would not say of a form that our own page sent it."""
TO_NOBODY: Final = "no-referrer"
"""The address of a page that a link opened is a secret, also from the page's own next request."""


def for_visitors(
    scope: Scope,
) -> Callable[[Callable[Parameters, ResponseReturnValue]], Callable[Parameters, Response]]:
    """Call the view of a page only for a visitor that the scope is granted to.

    Others get a page that says why not, or go to the page for signing in. So do errors of Milepost
    that the view raises. A form that another site's page has sent is refused before the view.
    """

    def decorate(
        view: Callable[Parameters, ResponseReturnValue],
    ) -> Callable[Parameters, Response]:
        @wraps(view)
        def guarded(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Response:
            try:
                g.principal = _visitor(scope)
                shown = make_response(view(*args, **kwargs))
            except MilepostError as error:
                shown = refused(error)
            return careful(shown)

        return guarded

    return decorate


def _visitor(scope: Scope) -> Principal:
    wired = services()
    if request.method in LOOKING:
        return admitted(asked(), known_to(wired), wired, scope)
    caller = visitor(asked(), known_to(wired), wired)
    if caller.session:
        check_origin(wired.settings.public_url)
        check_csrf()
    return granted(caller, scope)


def may(scope: Scope) -> bool:
    """Tell whether the visitor of this page may do more, such as `write`: show buttons for it."""
    return principal().may(scope)


def csrf() -> str:
    """Return the value of the hidden field `csrf` of each form; empty for who has not signed in."""
    secret = secret_of(asked()) if principal().session else None
    return form_token(secret) if secret else ""


def careful(shown: Response) -> Response:
    """Return a page with the headers that keep it to its visitor."""
    shown.headers["Cache-Control"] = NO_STORE
    shown.headers["Referrer-Policy"] = OF_OURSELVES if asked().link is None else TO_NOBODY
    if asked().link is not None and request.blueprint == FRAMED:
        # It has nothing to click on but links. A page of a session has buttons, which another site
        # could lay under its own.
        shown.headers[POLICY_NAME] = framed_by(services().settings.frame_origins)
    return shown


def refused(error: MilepostError) -> Response:
    """Return the page for an error of Milepost; raise another error again, for the log."""
    if type(error) not in KINDS:
        raise error
    kind, detail = explained(error, request.method, request.path)
    is_stranger = isinstance(error, STRANGERS)
    if is_stranger and request.method in LOOKING and header("Authorization") is None:
        # Signing in would not lead to a longer path, and two quotings make it six times as long.
        wanted = own_path(wanted_path(), "")
        query = f"?{urlencode({'next': wanted})}" if wanted else ""
        return gone_to(f"{url_for('sign_in.show')}{query}")
    return error_page(kind.status, kind.title, detail, may_sign_in=is_stranger)


def gone_to(where: str) -> Response:
    """Return what lets the browser ask for another page, also after a form (303)."""
    return current_app.make_response(redirect(where, HTTPStatus.SEE_OTHER))


def came_by_link() -> bool:
    """Tell whether a signed link opened this page."""
    return principal().until is not None


def link_for(path: str) -> str:
    """Return the address of a path of this server for the visitor.

    For who came by a link, it is a link, too: with the same issuer and the same end. `path` is as
    `url_for` returns it: percent-encoded, behind the prefix, without a query.
    """
    caller = principal()
    if caller.until is None:
        return path
    own = unquote(path.removeprefix(request.root_path.rstrip("/")))
    link = services().links.make(own, caller.token_id, caller.until)
    return f"{path}?{NAME}={link}"
