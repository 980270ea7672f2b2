"""The hot routes: frequent requests, and the health checks that a busy server must answer.

The front answers these routes on its event loop, without Flask. Flask has the same routes over
the same views, and answers every request that no pattern matches.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from api.http.callback_paths import CALLBACK_PATHS, OF_ONE_JOB
from api.http.messages import View
from api.routes import instances, streams
from api.routes.callbacks import receiving
from api.routes.jobs import showing
from api.routes.server import health
from api.schemas.ids import PLAIN_ID


class HotRoute(NamedTuple):
    """A view with its method and path; the groups of the path's pattern are its parameters."""

    method: str
    path: re.Pattern[str]
    view: View


HOT: Final = (
    HotRoute("POST", re.compile("|".join(map(re.escape, CALLBACK_PATHS))), receiving.receive),
    HotRoute(
        "GET",
        re.compile("/api/agents/(?P<agent_id>[A-Za-z0-9._~:@-]{1,200})/instance"),
        instances.present,
    ),
    HotRoute(
        "POST",
        # An id in the path of a callback may be any: behind Flask, it would wait among strangers.
        re.compile(f"{OF_ONE_JOB}(?P<job_id>{PLAIN_ID.pattern})"),
        receiving.receive,
    ),
    HotRoute("GET", re.compile("/livez"), health.alive),
    HotRoute("GET", re.compile("/readyz"), health.ready),
    HotRoute("GET", re.compile("/api/jobs/(?P<job_id>[A-Za-z0-9._~:@-]{1,200})"), showing.present),
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


def match(method: str, path: str) -> tuple[View, dict[str, str]] | None:
    """Return the view and the parameters of a hot request without a query; None for others."""
    for route in HOT:
        if route.method == method and (matched := route.path.fullmatch(path)):
            return route.view, matched.groupdict()
    return None
