"""Instances: what the seed system's pages read (seed contract, "Instance")."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from flask import Response

from api.access import admitted, principal, services
from api.answers import Plain, answer, in_json
from api.blueprint import Blueprint
from api.errors import AgentNotFound
from api.etags import etag, is_known, tagged
from api.headers import Headers, header, headers_in
from api.representations import instance_body, uptime
from api.schemas import InstanceSchema
from api.tokens import Principal
from api.wiring import Services
from projections.instance import Instance

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

bp = Blueprint("instances", __name__, description="An agent's instance, as pages read it")

PLAIN_PATH: Final = re.compile("/api/agents/([A-Za-z0-9._~:@-]{1,200})/instance")


@bp.route("/api/agents/<id:agent_id>/instance")
@bp.needs("read")
@bp.response(200, InstanceSchema)
@bp.alt_response(304, description="Not modified")
@bp.problem(404, "No such agent, or not yours")
def show(agent_id: str) -> Response:
    """Show the instance of the agent's newest job."""
    return _shown(agent_id, principal(), header, services()).response()


def glance(environ: WSGIEnvironment, here: Services) -> Plain | None:
    """Answer as `show` does, for ids that are plain in a path; None for other requests."""
    asked = PLAIN_PATH.fullmatch(environ.get("PATH_INFO", ""))
    if not asked or environ["REQUEST_METHOD"] != "GET":
        return None
    header = headers_in(environ)
    return _shown(asked[1], admitted(header, here, "read"), header, here)


def _shown(agent_id: str, caller: Principal, header: Headers, here: Services) -> Plain:
    now, instance = here.clock(), _visible(agent_id, caller, here)
    tag = etag(instance.position, here.workflows.fingerprint, uptime(instance, now))
    if is_known(tag, header):
        return Plain("304 NOT MODIFIED", tagged(tag))
    return in_json(instance_body(instance, here.workflows, now), tagged(tag))


@bp.route("/api/agents/<id:agent_id>/instance", methods=["DELETE"])
@bp.needs("write")
@bp.response(200, InstanceSchema)
@bp.problem(400, "Not running")
@bp.problem(404, "No such agent, or not yours")
def stop(agent_id: str) -> Response:
    """Ask the running instance to stop."""
    here, caller = services(), principal()
    job_id = _visible(agent_id, caller, here).job_id
    receipt = here.milepost.stop(job_id, requested_by=caller.name)
    stopped = here.reader.instance(receipt.job_id)
    assert stopped is not None  # the receipt says that it is stored
    return answer(instance_body(stopped, here.workflows, here.clock()))


def _visible(agent_id: str, caller: Principal, here: Services) -> Instance:
    instance = here.reader.instance_of(agent_id)
    if instance is None or not caller.sees(instance.user_id):
        raise AgentNotFound
    return instance
