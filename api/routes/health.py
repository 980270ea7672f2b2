"""Health: whether the process is alive, and whether it can do its work."""

from __future__ import annotations

from api.errors import Draining
from api.http.access import services
from api.http.answers import in_json
from api.http.blueprint import Blueprint
from api.http.flask_door import through_flask
from api.http.messages import Answer, Door, Request

bp = Blueprint("health", __name__, description="For load balancers and operators")


@bp.route("/livez")
@bp.response(200, description="The process answers")
def livez() -> Answer:
    """Answer while the process lives."""
    return through_flask(alive)


async def alive(request: Request, door: Door) -> Answer:
    """Say that the process answers."""
    return in_json({"status": "alive"})


@bp.route("/readyz")
@bp.response(200, description="Ready")
@bp.problem(503, "The database is away, or the server is about to end")
def readyz() -> Answer:
    """Tell whether the database answers and how far behind the read model and the tree are.

    `set_aside` counts events that could not be folded, up to 100; `milepost status` shows them.
    `rebuild_position` is how far a rebuild of the read model is, null without one.
    `tree` is `growing`, or what stopped it.
    """
    here = services()
    if here.is_draining():
        raise Draining
    standing, growth = here.reader.status(), here.evidence.growth()
    return in_json(
        {
            "status": "ready",
            "database": here.settings.database,
            "log_position": standing.log_position,
            "read_model_position": standing.read_model_position,
            "lag_events": standing.lag_events,
            "rebuild_position": standing.rebuilt_position,
            "set_aside": len(standing.set_aside),
            "tree_lag_events": growth.lag(standing.log_position),
            "tree": growth.fault or "growing",
        }
    )
