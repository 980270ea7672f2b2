"""Access: who calls, and what the caller may do.

Every route but those of callbacks, health and signing in needs one of these, the first that is
there:

1. `Authorization: Bearer` with a token.
2. A signed link in the URL, for GET and HEAD of its one path.
3. The cookie of a session, for GET and HEAD alone: another site can let a browser send it.

The first of these that a request has must be valid: Milepost refuses a request with a wrong token,
also if the request has a valid cookie.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Final, NamedTuple, ParamSpec, TypeVar, cast

from flask import current_app, g
from flask import request as in_hand

from api.errors import InvalidToken, MissingScope, MissingToken
from api.http.callers.cookies import is_over_tls, session_secret
from api.http.callers.links import KEY
from api.http.headers import header
from api.http.messages import Request
from api.sessions import SessionLookup, holder
from api.tokens import Principal, Scope, TokenLookup, authenticate
from api.wiring import Services
from domain.log.store import translated

Parameters = ParamSpec("Parameters")
Answer = TypeVar("Answer")

LOOKING: Final = frozenset({"GET", "HEAD"})
"""The methods that change nothing."""


class Known(NamedTuple):
    """Where a door finds tokens and sessions."""

    tokens: TokenLookup
    sessions: SessionLookup


def services() -> Services:
    """Return the services that this application was created over."""
    return cast(Services, current_app.extensions["milepost"])


def principal() -> Principal:
    """Return the sender of this request; only a view under `needs` may call it."""
    return cast(Principal, g.principal)


def asked(body: bytes = b"") -> Request:
    """Return the request that Flask has in hand, as plain values."""
    environ = in_hand.environ
    # As the route was found by: Flask's own path lacks a second slash at the beginning.
    path = environ.get("PATH_INFO", "").encode("latin-1").decode("utf-8", "replace")
    query = environ.get("QUERY_STRING", "")
    return Request(
        in_hand.method,
        path,
        query,
        header,
        body,
        environ.get(KEY),
        in_hand.root_path.rstrip("/"),
        is_over_tls(
            environ["wsgi.url_scheme"],
            environ.get("HTTP_HOST", ""),
            services().settings.public_url,
        ),
    )


def known_to(wired: Services) -> Known:
    """Return all tokens and sessions that there are."""
    return Known(wired.tokens, wired.sessions)


def needs(
    scope: Scope,
) -> Callable[[Callable[Parameters, Answer]], Callable[Parameters, Answer]]:
    """Call the view only for a request whose sender the scope is granted to."""

    def decorate(view: Callable[Parameters, Answer]) -> Callable[Parameters, Answer]:
        @wraps(view)
        def guarded(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Answer:
            wired = services()
            g.principal = admitted(asked(), known_to(wired), wired, scope)
            return view(*args, **kwargs)

        return guarded

    return decorate


def secret_of(request: Request) -> str | None:
    """Return the secret of the session whose cookie a request has; see `session_secret`."""
    return session_secret(request.header, request.prefix, is_secure=request.is_secure)


def admitted(request: Request, known: Known, wired: Services, scope: Scope) -> Principal:
    """Return the sender of a request, if the scope is granted to it.

    Raises `MissingToken`, `InvalidToken`, `InvalidLink`, `InvalidSession` or `MissingScope`.
    """
    return granted(_sender(request, known, wired), scope)


def granted(caller: Principal, scope: Scope) -> Principal:
    """Return the caller; raise `MissingScope` if the scope is not granted to it."""
    if not caller.may(scope):
        raise MissingScope(f"The token {caller.name!r} lacks the scope {scope!r}.")
    return caller


def visitor(request: Request, known: Known, wired: Services) -> Principal:
    """Return who sent a request of any method that a page's form may have sent.

    The cookie of a session counts for each method, so the caller checks the form's own proof.
    A link counts for none: it has no form. Raises `MissingToken`, `InvalidToken` or
    `InvalidSession`.
    """
    return _sender(request._replace(method="GET", link=None), known, wired)


def _sender(request: Request, known: Known, wired: Services) -> Principal:
    given = request.header("Authorization")
    if given is not None:
        scheme, _, token = given.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise InvalidToken
        with translated():
            return authenticate(
                token.strip(), known.tokens, wired.settings.admin_token, wired.clock
            )
    if request.link is not None and request.method in LOOKING:
        with translated():
            return wired.links.holder(request.link, request.path, known.tokens, wired.clock)
    if request.method in LOOKING and (secret := secret_of(request)) is not None:
        with translated():
            return holder(
                secret, known.sessions, known.tokens, wired.settings.admin_token, wired.clock
            )
    raise MissingToken
