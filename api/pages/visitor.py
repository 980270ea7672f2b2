"""Who looks at a page, and what that person may do there."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from flask import g

from api.errors import MissingToken
from api.http.callers.access import admitted, principal, services
from api.http.headers import header
from api.tokens import Scope

Parameters = ParamSpec("Parameters")
Answer = TypeVar("Answer")


def for_visitors(
    scope: Scope,
) -> Callable[[Callable[Parameters, Answer]], Callable[Parameters, Answer]]:
    """Call the page's view only for somebody who has the scope; `principal()` is then who."""

    def decorate(view: Callable[Parameters, Answer]) -> Callable[Parameters, Answer]:
        @wraps(view)
        def guarded(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Answer:
            wired = services()
            g.principal = admitted(header, wired.tokens, wired, scope)
            return view(*args, **kwargs)

        return guarded

    return decorate


def may(scope: Scope) -> bool:
    """Tell whether the visitor has the scope."""
    return principal().may(scope)


def csrf() -> str:
    """Return the token that a form of this page sends back; empty where none is needed."""
    return ""


def check_csrf() -> None:
    """Raise `MissingToken` for a form that another site may have sent: one with a cookie only."""
    if header("Authorization") is None:
        raise MissingToken


def link_for(path: str) -> str:
    """Return the address of a path of this server for the visitor."""
    return path
