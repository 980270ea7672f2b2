"""Instances, as the seed system's pages read them (seed contract, "Instance")."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from itertools import chain
from typing import Any

from marshmallow import EXCLUDE

from api.http.answers import in_json, of_json
from api.http.callers import access
from api.http.callers.visibility import visible_agent
from api.http.counting.counters import counted
from api.http.etags import IF_MATCH, etag, expected_version, is_known, not_modified, tagged
from api.http.flask_side.blueprint import LINKED, TAGGED, Blueprint
from api.http.flask_side.door import through_flask
from api.http.making import making
from api.http.messages import Answer, Door, Request, Watch
from api.http.waiting import PREFER, applied, preferred_wait
from api.recent_bodies import Made
from api.representations.difference import difference_body
from api.representations.job import instance_body, varying
from api.routes.recent import recent_body
from api.schemas.history import DifferenceSchema
from api.schemas.jobs import InstanceSchema
from api.schemas.queries import ChangesQuerySchema, OlderPlaceQuerySchema, PlaceQuerySchema
from api.schemas.requests import OrderSchema
from api.tokens import Principal
from api.wiring import Services
from projections.reading.time_travel import PointInHistory, newest_of
from projections.views.instance import Instance

bp = Blueprint("instances", __name__, description="An agent's instance, as pages read it")


@bp.route("/api/agents/<id:agent_id>/instance", operation="get_instance")
@bp.needs("read", by=LINKED)
@bp.arguments(PlaceQuerySchema, location="query", reads=OlderPlaceQuerySchema(unknown=EXCLUDE))
@bp.response(200, InstanceSchema, headers=TAGGED)
@bp.conditional
@bp.parameter(PREFER)
@bp.problem(404, "No such agent, or not yours, or it has no such version or time")
def show(query: dict[str, Any], agent_id: str) -> Answer:
    """Show the instance of the agent's newest job: now, or in the past.

    With a time, the answer is the one that a page showed then: the instance of the job that was
    the newest at that time. A version belongs to the job that is the newest now. The route ignores
    parameters that it does not know, which the seed system's pages may add.
    """
    if not query:
        return through_flask(present, agent_id=agent_id)
    with making(access.principal()):
        return _past(query, agent_id)


def _past(query: dict[str, Any], agent_id: str) -> Answer:
    services, caller = access.services(), access.principal()
    newest = visible_agent(services.reader.instance_of(agent_id), caller)
    if "start" in query:
        return _difference(query, agent_id, newest)
    place = PointInHistory(**query)
    instance = _at(place, agent_id, newest, caller, services)
    # The uptime is the one at that time, too.
    then = min(place.at or instance.updated_at or services.now(), services.now())
    first_start = services.reader.first_start
    tag = _tag(instance, services, then, first_start)
    body = instance_body(instance, services.workflows, then, first_start)
    return not_modified(tag) or in_json(body, headers=tagged(tag))


@bp.route("/api/agents/<id:agent_id>/instance/changes", operation="get_instance_changes")
@bp.needs("read")
@bp.arguments(ChangesQuerySchema, location="query")
@bp.response(200, DifferenceSchema, headers=TAGGED)
@bp.conditional
@bp.problem(404, "No such agent, or not yours, or it has no such version or time")
def changes(query: dict[str, Any], agent_id: str) -> Answer:
    """Show what changed in an agent's instance between two versions or times."""
    with making(access.principal()):
        newest = visible_agent(access.services().reader.instance_of(agent_id), access.principal())
        return _difference(query, agent_id, newest)


def _difference(query: dict[str, Any], agent_id: str, newest: Instance) -> Answer:
    services, caller = access.services(), access.principal()
    places = (query["start"], query.get("end", PointInHistory()))
    before, after = (_at(place, agent_id, newest, caller, services) for place in places)
    tag = etag(after.position, services.workflows.fingerprint, before.position)
    now, first_start = services.now(), services.reader.first_start
    body = difference_body(
        before, after, lambda each: instance_body(each, services.workflows, now, first_start)
    )
    return not_modified(tag) or in_json(body, headers=tagged(tag))


def _at(
    place: PointInHistory, agent_id: str, newest: Instance, caller: Principal, services: Services
) -> Instance:
    """Return the agent's instance at a version or time; raise `NoSuchMoment`."""
    if place.at is None:
        return _at_its(place, newest, services)
    if newest.queued_at and newest.queued_at <= place.at:
        return _at_its(place, newest, services)
    # The read model's list may lag behind the events.
    listed = services.reader.instances_of_agent(agent_id, caller.user_id)
    then = newest_of(chain(listed, [newest]), place.at)
    present = newest if then.job_id == newest.job_id else services.reader.instance(then.job_id)
    return _at_its(place, present or then, services)


def _at_its(place: PointInHistory, job: Instance, services: Services) -> Instance:
    return services.history.with_whole_errors(services.history.instance(job, place))


async def present(request: Request, door: Door, agent_id: str) -> Answer:
    """Show the present instance of the agent's newest job."""
    services, caller = door.services, await door.admit(request, "read")
    instance = visible_agent(await door.instance_of(agent_id), caller)
    now, first_start = services.now(), services.reader.first_start
    tag, waited = _tag(instance, services, now, first_start), list[tuple[str, str]]()
    if is_known(tag, request.header):
        if not (seconds := preferred_wait(request.header)):
            return Answer(304, tagged(tag))
        watch = Watch(caller, instance.position, agent_id=agent_id)
        if await door.changed(watch, seconds):
            waited.append(applied(seconds))
            instance = visible_agent(await door.instance_of(agent_id), caller)
            now = services.now()
            tag = _tag(instance, services, now, first_start)
        if is_known(tag, request.header):
            return Answer(304, [*tagged(tag), *waited])
    workflows, made = services.workflows, Made(instance, tag, first_start)
    make = partial(instance_body, workflows=workflows, now=now, first_start=first_start)
    body = await recent_body(request.path, made, make, door, caller)
    return of_json(body, headers=[*tagged(tag), *waited])


def _tag(
    instance: Instance, services: Services, now: datetime, first_start: datetime | None
) -> str:
    workflows = services.workflows
    varies = varying(instance, workflows, now, first_start)
    return etag(instance.position, workflows.fingerprint, *varies)


@bp.route("/api/agents/<id:agent_id>/instance", operation="stop_instance", methods=["DELETE"])
@bp.needs("write")
@bp.arguments(OrderSchema(unknown=EXCLUDE), location="query")
@bp.response(200, InstanceSchema)
@bp.problem(400, "Not running, or malformed")
@bp.problem(404, "No such agent, or not yours")
@bp.problem(412, "The instance has changed since the ETag in If-Match")
@bp.parameter(IF_MATCH)
def stop(query: dict[str, Any], agent_id: str) -> Answer:
    """Ask the running instance to stop."""
    services, caller = access.services(), access.principal()
    present = visible_agent(services.reader.instance_of(agent_id), caller)
    version = expected_version(present, services.workflows.fingerprint)
    with counted("stop") as count:
        receipt = services.milepost.stop(
            present.job_id,
            caller.name,
            query.get("reason") or None,
            token_id=caller.token_id,
            version=version,
        )
        count(receipt)
    stopped = services.reader.recorded(receipt.job_id, receipt.version)
    return in_json(
        instance_body(stopped, services.workflows, services.now(), services.reader.first_start)
    )
