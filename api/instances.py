"""Instances: what the seed system's pages read (seed contract, "Instance")."""

from __future__ import annotations

from flask import Response

from api.access import principal, services
from api.answers import answer
from api.blueprint import Blueprint
from api.errors import AgentNotFound
from api.etags import etag, not_modified, tagged
from api.representations import instance_body, uptime
from api.schemas import InstanceSchema
from api.wiring import Services
from projections.instance import Instance

bp = Blueprint("instances", __name__, description="An agent's instance, as pages read it")


@bp.route("/api/agents/<id:agent_id>/instance")
@bp.needs("read")
@bp.response(200, InstanceSchema)
@bp.alt_response(304, description="Not modified")
@bp.problem(404, "No such agent, or not yours")
def show(agent_id: str) -> Response:
    """Show the instance of the agent's newest job."""
    here = services()
    now, instance = here.clock(), _visible(agent_id, here)
    tag = etag(instance.position, here.workflows.fingerprint, uptime(instance, now))
    if known := not_modified(tag):
        return known
    return answer(instance_body(instance, here.workflows, now), headers=tagged(tag))


@bp.route("/api/agents/<id:agent_id>/instance", methods=["DELETE"])
@bp.needs("write")
@bp.response(200, InstanceSchema)
@bp.problem(400, "Not running")
@bp.problem(404, "No such agent, or not yours")
def stop(agent_id: str) -> Response:
    """Ask the running instance to stop."""
    here = services()
    receipt = here.milepost.stop(_visible(agent_id, here).job_id, requested_by=principal().name)
    stopped = here.reader.instance(receipt.job_id)
    assert stopped is not None  # the receipt says that it is stored
    return answer(instance_body(stopped, here.workflows, here.clock()))


def _visible(agent_id: str, here: Services) -> Instance:
    instance = here.reader.instance_of(agent_id)
    if instance is None or not principal().sees(instance.user_id):
        raise AgentNotFound
    return instance
