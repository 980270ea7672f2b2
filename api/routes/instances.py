"""Instances: what the seed system's pages read (seed contract, "Instance")."""

from __future__ import annotations

from typing import Any

from marshmallow import EXCLUDE

from api.errors import AgentNotFound
from api.http.access import principal, services
from api.http.answers import in_json
from api.http.blueprint import Blueprint
from api.http.etags import etag, not_modified, tagged
from api.http.flask_door import through_flask
from api.http.messages import Answer, Door, Request
from api.representations.difference import difference_body
from api.representations.job import instance_body, uptime
from api.schemas.answers import InstanceSchema
from api.schemas.history import DifferenceSchema
from api.schemas.queries import PlaceQuerySchema
from api.tokens import Principal
from api.wiring import Services
from domain.log.reading.contract import NEWEST
from projections.read_model.contract import JobFilter
from projections.reading.time_travel import PointInHistory, newest_of
from projections.views.instance import Instance

bp = Blueprint("instances", __name__, description="An agent's instance, as pages read it")


@bp.route("/api/agents/<id:agent_id>/instance")
@bp.needs("read")
@bp.arguments(PlaceQuerySchema(unknown=EXCLUDE), location="query")  # the seed's pages may add any
@bp.response(
    200, {"oneOf": [InstanceSchema, DifferenceSchema]}, description="With `from`, the latter"
)
@bp.alt_response(304, description="Not modified")
@bp.problem(400, "Malformed")
@bp.problem(404, "No such agent, or not yours, or it has no such moment")
def show(query: dict[str, Any], agent_id: str) -> Answer:
    """Show the instance of the agent's newest job as it stands, as it stood, or what differs.

    At a time, that is what a page showed then: the instance of the job that was the newest. A
    version is one of the job that is the newest now.
    """
    if not query:
        return through_flask(present, agent_id=agent_id)
    here, caller = services(), principal()
    newest = _visible(here.reader.instance_of(agent_id), caller)
    if "start" in query:
        places = (query["start"], query.get("end", PointInHistory()))
        before, after = (_at(place, agent_id, newest, caller, here) for place in places)
        tag = etag(after.position, here.workflows.fingerprint, before.position)
        now = here.clock()
        body = difference_body(before, after, lambda each: instance_body(each, here.workflows, now))
        return not_modified(tag) or in_json(body, headers=tagged(tag))
    place = PointInHistory(**query)
    instance = _at(place, agent_id, newest, caller, here)
    # How long it had been running is as of then, too.
    then = min(place.at or instance.updated_at or here.clock(), here.clock())
    tag = etag(instance.position, here.workflows.fingerprint, uptime(instance, then))
    body = instance_body(instance, here.workflows, then)
    return not_modified(tag) or in_json(body, headers=tagged(tag))


def _at(
    place: PointInHistory, agent_id: str, newest: Instance, caller: Principal, here: Services
) -> Instance:
    """Return the instance of the agent at that place; raise `NoSuchMoment`."""
    if place.at is None:
        return here.history.instance(newest, place)
    listed = here.reader.instances(JobFilter(agent_id=agent_id, limit=NEWEST))
    jobs = {job.job_id: job for job in (*listed, newest) if caller.sees(job.user_id)}
    then = newest_of(jobs.values(), place.at)
    # A list may be older than the events.
    present = newest if then.job_id == newest.job_id else here.reader.instance(then.job_id)
    return here.history.instance(present or then, place)


async def present(request: Request, door: Door, agent_id: str) -> Answer:
    """Show the instance of the agent's newest job as it stands."""
    here, caller = door.services, await door.admit(request.header, "read")
    instance = _visible(await door.instance_of(agent_id), caller)
    now = here.clock()
    tag = etag(instance.position, here.workflows.fingerprint, uptime(instance, now))
    known = not_modified(tag, header=request.header)
    return known or in_json(instance_body(instance, here.workflows, now), headers=tagged(tag))


@bp.route("/api/agents/<id:agent_id>/instance", methods=["DELETE"])
@bp.needs("write")
@bp.response(200, InstanceSchema)
@bp.problem(400, "Not running")
@bp.problem(404, "No such agent, or not yours")
def stop(agent_id: str) -> Answer:
    """Ask the running instance to stop."""
    here, caller = services(), principal()
    job_id = _visible(here.reader.instance_of(agent_id), caller).job_id
    receipt = here.milepost.stop(job_id, requested_by=caller.name)
    stopped = here.reader.instance(receipt.job_id)
    assert stopped is not None  # the receipt says that it is stored
    return in_json(instance_body(stopped, here.workflows, here.clock()))


def _visible(instance: Instance | None, caller: Principal) -> Instance:
    if instance is None or not caller.sees(instance.user_id):
        raise AgentNotFound
    return instance
