"""Health: whether the process is alive, and whether it is ready for requests."""

from __future__ import annotations

from api.errors import Draining, NotWriting
from api.http.answers import in_json
from api.http.flask_side.blueprint import Blueprint
from api.http.flask_side.door import through_flask
from api.http.messages import Answer, Door, Request
from api.schemas.answers import LivenessSchema, ReadinessSchema
from api.wiring import Services

bp = Blueprint("health", __name__, description="For load balancers and operators")


@bp.route("/livez", operation="get_liveness")
@bp.response(200, LivenessSchema)
def livez() -> Answer:
    """Answer while the process lives."""
    return through_flask(alive)


async def alive(request: Request, door: Door) -> Answer:
    """Report that the process answers."""
    return in_json({"status": "alive"})


@bp.route("/readyz", operation="get_readiness")
@bp.response(200, ReadinessSchema)
@bp.problem(503, "Callbacks cannot be stored now, or the server is shutting down")
def readyz() -> Answer:
    """Tell whether callbacks can be stored, and how far read model and tree are behind the log.

    `milepost status` shows the events that were set aside.
    """
    return through_flask(ready)


async def ready(request: Request, door: Door) -> Answer:
    """Report how ready the server is; see `readyz`."""
    if door.services.is_draining():
        raise Draining
    return in_json(await door.together(readiness))


def readiness(services: Services) -> dict[str, object]:
    """Return what the database says of how ready the server is; raise `NotWriting`."""
    projection, growth = services.reader.status(), services.evidence.growth()
    if trouble := services.milepost.committing.trouble():
        raise NotWriting(*trouble)
    services.milepost.end.look()
    return {
        "status": "ready",
        "database": services.settings.database,
        "log_position": projection.log_position,
        "read_model_position": projection.read_model_position,
        "lag_events": projection.lag_events,
        "rebuild_position": projection.rebuilt_position,
        "set_aside": len(projection.set_aside),
        "lost_ends": len(services.lost_ends()),
        "tree_lag_events": growth.lag(projection.log_position),
        "tree": growth.fault or "growing",
        "deadlines": services.deadlines().sentence(services.now()) or "watched",
    }
