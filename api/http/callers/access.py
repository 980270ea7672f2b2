"""Access: every route except callbacks and health needs a bearer token with a scope."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar, cast

from flask import current_app, g

from api.errors import InvalidToken, MissingScope, MissingToken
from api.http.headers import Headers, header
from api.tokens import Principal, Scope, TokenLookup, authenticate
from api.wiring import Services
from domain.log.store import translated

Parameters = ParamSpec("Parameters")
Answer = TypeVar("Answer")


def services() -> Services:
    """Return the services that this application was created over."""
    return cast(Services, current_app.extensions["milepost"])


def principal() -> Principal:
    """Return the sender of this request; only a view under `needs` may call it."""
    return cast(Principal, g.principal)


def needs(
    scope: Scope,
) -> Callable[[Callable[Parameters, Answer]], Callable[Parameters, Answer]]:
    """Call the view only for a request whose token grants the scope."""

    def decorate(view: Callable[Parameters, Answer]) -> Callable[Parameters, Answer]:
        @wraps(view)
        def guarded(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Answer:
            wired = services()
            g.principal = admitted(header, wired.tokens, wired, scope)
            return view(*args, **kwargs)

        return guarded

    return decorate


def admitted(header: Headers, tokens: TokenLookup, wired: Services, scope: Scope) -> Principal:
    """Return the sender of a request with these headers, if its token grants the scope.

    Raises `MissingToken`, `InvalidToken` or `MissingScope`.
    """
    caller = identified(header, tokens, wired)
    if not caller.may(scope):
        raise MissingScope(f"The token {caller.name!r} lacks the scope {scope!r}.")
    return caller


def identified(header: Headers, tokens: TokenLookup, wired: Services) -> Principal:
    """Return the sender of a request with these headers, whatever its token grants.

    Raises `MissingToken` or `InvalidToken`.
    """
    given = header("Authorization")
    if given is None:
        raise MissingToken
    scheme, _, token = given.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise InvalidToken
    with translated():
        return authenticate(token.strip(), tokens, wired.settings.admin_token, wired.clock)
