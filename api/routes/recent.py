"""The body of a job that is read now: one that was sent before is not made again."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from api.http.answers import encoded
from api.http.messages import Door
from api.tokens import Principal
from projections.reading.whole_errors import has_shortened_errors
from projections.views.instance import Instance


async def recent_body(
    path: str,
    tag: str,
    instance: Instance,
    make: Callable[[Instance], dict[str, Any]],
    door: Door,
    caller: Principal,
) -> bytes:
    """Return in JSON what is made of an instance with its whole errors.

    A strong tag changes whenever the body does, so the body of this path with this tag may be there
    already.
    """
    services = door.services
    # A log that lost its end may have another event at the same position, at another time.
    key = path, tag, instance.updated_at, services.reader.first_start
    body = services.bodies.get(key)
    if body is None:
        if has_shortened_errors(instance):
            whole = partial(services.history.with_whole_errors, instance)
            instance = await door.apart(whole, caller)
        body = encoded(make(instance))
        services.bodies.put(key, body)
    return body
