"""The hot routes: frequent requests, and the health checks that a busy server must answer.

The front answers these routes on its event loop, without Flask. Flask has the same routes over
the same views, and answers every request that no pattern matches.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from api.http.callback_paths import CALLBACK_PATHS, OF_ONE_JOB
from api.http.messages import View
from api.routes import instances, streams
from api.routes.callbacks import receiving
from api.routes.jobs import showing
from api.routes.server import health
from api.schemas.ids import PLAIN_ID

REMEMBERED: Final = 1024
SHORT: Final = 512
"""The routes of longer paths are not remembered."""


class HotRoute(NamedTuple):
    """A view with its method and path; the groups of the path's pattern are its parameters."""

    method: str
    path: re.Pattern[str]
    view: View
    takes_queries: bool = True
    """Whether the view answers requests with a query as well, which it may read or ignore."""


HOT: Final = (
    # A callback is what its body says, whatever is added to its URL.
    HotRoute("POST", re.compile("|".join(map(re.escape, CALLBACK_PATHS))), receiving.receive),
    HotRoute(
        "GET",
        re.compile("/api/agents/(?P<agent_id>[A-Za-z0-9._~:@-]{1,200})/instance"),
        instances.present,
        takes_queries=False,
    ),
    HotRoute(
        "POST",
        # An id in the path of a callback may be any: behind Flask, it would wait among strangers.
        re.compile(f"{OF_ONE_JOB}(?P<job_id>{PLAIN_ID.pattern})"),
        receiving.receive,
    ),
    # Load balancers ask for health with queries of their own.
    HotRoute("GET", re.compile("/livez"), health.alive),
    HotRoute("GET", re.compile("/readyz"), health.ready),
    HotRoute(
        "GET",
        re.compile("/api/jobs/(?P<job_id>[A-Za-z0-9._~:@-]{1,200})"),
        showing.present,
        takes_queries=False,
    ),
    # An id in the path of a stream may be any: Flask could not stream it.
    HotRoute(
        "GET", re.compile(r"/api/jobs/(?P<job_id>[^\x00-\x1f]{1,200})/stream"), streams.of_job
    ),
    HotRoute(
        "GET",
        re.compile(r"/api/agents/(?P<agent_id>[^\x00-\x1f]{1,200})/stream"),
        streams.of_agent,
    ),
    HotRoute("GET", re.compile("/api/stream"), streams.of_all),
    HotRoute(
        "GET",
        re.compile(r"/embed/streams/jobs/(?P<job_id>[^\x00-\x1f]{1,200})"),
        streams.of_embedded_job,
    ),
    HotRoute(
        "GET",
        re.compile(r"/embed/streams/agents/(?P<agent_id>[^\x00-\x1f]{1,200})"),
        streams.of_embedded_agent,
    ),
    # Only a proxy that holds streams asks here, and Flask has no such streams.
    HotRoute("GET", re.compile("/api/held/(?P<sealed>[A-Za-z0-9_-]{1,2000})"), streams.held),
)


def match(method: str, path: str, query: str) -> tuple[View, Mapping[str, str]] | None:
    """Return the view and the parameters of a hot request; None for others."""
    found = _remembered(method, path) if len(path) <= SHORT else _route(method, path)
    if found is None:
        return None
    route, parameters = found
    return (route.view, parameters) if route.takes_queries or not query else None


def _route(method: str, path: str) -> tuple[HotRoute, Mapping[str, str]] | None:
    for route in HOT:
        if route.method == method and (matched := route.path.fullmatch(path)):
            return route, matched.groupdict()
    return None


_remembered = lru_cache(REMEMBERED)(_route)
