"""Signing in with a token, and signing out. The browser gets a session, and never keeps a token."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from flask import Blueprint, Response, request, url_for

from api.errors import InvalidSession, InvalidToken, MissingScope
from api.http.callers.access import asked, granted, secret_of, services
from api.http.callers.cookies import path_of, with_secret, without_secret
from api.http.problems.documents import STRANGERS
from api.pages.forms import check_csrf, check_origin, fields, own_path
from api.pages.policy import page
from api.pages.visitor import careful, gone_to, refused
from api.sessions import begin, hash_of, issuer_of
from api.tokens import authenticate
from domain.errors import MilepostError
from domain.log.store import translated

bp = Blueprint("sign_in", __name__, template_folder="templates")

FIRST_PAGE: Final = "/"
"""Where a browser goes that came to sign in by itself."""
UNKNOWN: Final = (
    "Milepost does not know this token, or it is revoked or has expired. Paste the whole token: "
    "it begins with mp_, unless it is the admin token of the settings."
)
MAY_NOT_READ: Final = "This token may not read, so it shows no page. Use one with the scope read."


@bp.get("/sign-in")
def show() -> Response:
    """Show the form for signing in."""
    return _form(own_path(request.args.get("next"), FIRST_PAGE))


@bp.post("/sign-in")
def sign_in() -> Response:
    """Begin a session for the holder of a token, and go on to the page that was wanted.

    A session of this browser ends with that: what somebody put into it before is never continued.
    """
    wired = services()
    wanted = own_path(fields().get("next"), FIRST_PAGE)
    try:
        check_origin(wired.settings.public_url)
        token = fields().get("token", "").strip()
        with translated():
            caller = authenticate(token, wired.tokens, wired.settings.admin_token, wired.clock)
            granted(caller, "read")
            issuer = issuer_of(caller.token_id, wired.settings.admin_token)
            _end_session()
            _, secret = begin(wired.sessions, issuer, wired.clock())
    except InvalidToken:
        STRANGERS.warning("sign_in", "POST %r: a wrong token", request.path)
        return _form(wanted, UNKNOWN, HTTPStatus.UNAUTHORIZED)
    except MissingScope:
        return _form(wanted, MAY_NOT_READ, HTTPStatus.FORBIDDEN)
    except MilepostError as error:
        return careful(refused(error))
    went = gone_to(request.root_path + wanted)
    went.headers["Set-Cookie"] = with_secret(
        secret, path_of(request.root_path), is_secure=asked().is_secure
    )
    return careful(went)


@bp.post("/sign-out")
def sign_out() -> Response:
    """End the session. Its streams end within seconds."""
    try:
        check_origin(services().settings.public_url)
        if secret_of(asked()) is not None:
            check_csrf()
            with translated():
                _end_session()
    except InvalidSession:
        pass  # with several cookies, nobody has signed in
    except MilepostError as error:
        return careful(refused(error))
    went = gone_to(url_for("sign_in.show"))
    went.headers["Set-Cookie"] = without_secret(
        path_of(request.root_path), is_secure=asked().is_secure
    )
    return careful(went)


def _form(wanted: str, wrong: str = "", status: int = HTTPStatus.OK) -> Response:
    return careful(page("sign_in.html", status, next=wanted, wrong=wrong))


def _end_session() -> None:
    try:
        secret = secret_of(asked())
    except InvalidSession:
        return
    if secret is not None:
        services().sessions.end(hash_of(secret))
