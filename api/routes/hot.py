"""The hot routes: what comes by the thousand, and what must be answered when all else is busy.

Each is one of Flask's routes, too, over the same view; the front answers these without Flask. A
request that is not plain enough for its pattern is Flask's.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from api.http.messages import View
from api.routes import callbacks, health, instances


class HotRoute(NamedTuple):
    """A view for a method and the paths that the pattern matches whole; groups are parameters."""

    method: str
    path: re.Pattern[str]
    view: View


HOT: Final = (
    HotRoute("POST", re.compile("|".join(map(re.escape, callbacks.PATHS))), callbacks.receive),
    HotRoute(
        "GET",
        re.compile("/api/agents/(?P<agent_id>[A-Za-z0-9._~:@-]{1,200})/instance"),
        instances.present,
    ),
    HotRoute("GET", re.compile("/livez"), health.alive),
)


def match(method: str, path: str, query: str) -> tuple[View, dict[str, str]] | None:
    """Return the view and the parameters of a hot request, None for every other one."""
    if query:
        return None
    for route in HOT:
        if route.method == method and (found := route.path.fullmatch(path)):
            return route.view, found.groupdict()
    return None
