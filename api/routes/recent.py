"""The body of a job that is read now: one that was sent before is not made again."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from api.http.answers import encoded
from api.http.messages import Door
from api.recent_bodies import Made
from api.tokens import Principal
from projections.reading.whole_errors import has_shortened_errors
from projections.views.instance import Instance


async def recent_body(
    path: str,
    made: Made,
    make: Callable[[Instance], dict[str, Any]],
    door: Door,
    caller: Principal,
) -> bytes:
    """Return in JSON what `make` returns of the instance with its whole errors."""
    services, instance = door.services, made.instance
    body = services.bodies.get(path, made)
    if body is None:
        if has_shortened_errors(instance):
            whole = partial(services.history.with_whole_errors, instance)
            instance = await door.apart(whole, caller)
        body = encoded(make(instance))
        services.bodies.put(path, made, body)
    return body
