"""Jobs: register a job, list jobs, show one job and its timeline."""

from __future__ import annotations

import hashlib
import re
from functools import partial
from typing import Any, cast
from uuid import uuid4

import msgspec
from flask import request, url_for

from api.errors import InvalidFields, MissingScope, ReadModelBehind
from api.http.answers import in_json
from api.http.callback_paths import path_of
from api.http.callers import access
from api.http.etags import etag, is_known, lasting, not_modified, tagged
from api.http.flask_side.blueprint import LINKED, LOCATION, PAGED, TAGGED, Blueprint
from api.http.flask_side.door import through_flask
from api.http.flask_side.paging import next_page
from api.http.headers import header
from api.http.idempotency import idempotency_key, parameter
from api.http.messages import Answer, Door, Request, Watch
from api.http.waiting import PREFER, applied, preferred_wait
from api.representations.difference import difference_body, is_settled
from api.representations.job import attention_body, job_body, timeline_body, varying
from api.schemas.history import DifferenceSchema
from api.schemas.jobs import JobListSchema, JobSchema, RegisteredSchema
from api.schemas.queries import ChangesQuerySchema, OlderPlaceQuerySchema, PlaceQuerySchema
from api.schemas.requests import JobQuerySchema, RegistrationSchema
from api.schemas.timeline import TimelineSchema
from api.tokens import Principal
from api.wiring import Services
from domain.errors import JobNotFound
from domain.job.commands.registration import QueueJob
from projections.read_model.filters import AttentionFilter, JobFilter
from projections.reading.time_travel import PointInHistory
from projections.reading.whole_errors import has_shortened_errors
from projections.views.attention import candidate, needing
from projections.views.instance import Instance

bp = Blueprint("jobs", __name__, description="Provisioning jobs")

MIN_POSITION_WAIT_SECONDS = 5.0


@bp.route("/api/jobs", operation="register_job", methods=["POST"])
@bp.needs("write")
@bp.arguments(RegistrationSchema)
@bp.response(201, RegisteredSchema, headers=LOCATION)
@bp.problem(409, "The id is in use, or another job is in progress")
@bp.parameter(parameter("The same key returns the same job"))
def register(body: dict[str, Any]) -> Answer:
    """Register a job, before its workflow is dispatched.

    The answer has the URL for the job's callbacks, and the key that signs them. The key is shown
    here only. A repetition with the same Idempotency-Key shows it again to the token that
    registered the job, because the first answer may have been lost.
    """
    services, caller = access.services(), access.principal()
    if not caller.sees(body.setdefault("user_id", caller.user_id)):
        raise MissingScope(f"The token {caller.name!r} registers jobs of its own user only.")
    # The digest is of the request itself: a later release may have another default workflow.
    digest = hashlib.sha256(msgspec.json.encode(body, order="sorted"))
    workflow = services.workflows.find(body.pop("workflow", None))
    services.definitions.note(workflow)
    receipt = services.milepost.queue(
        QueueJob(
            **{"job_id": str(uuid4()), **body},
            workflow=workflow.ref,
            workflow_digest=workflow.digest,
            idempotency_key=idempotency_key(header),
            digest=digest.hexdigest(),
            requested_by=caller.name,
            token_id=caller.token_id,
            owner=caller.user_id,
        )
    )
    job_id = receipt.job_id
    instance = services.reader.recorded(job_id, receipt.version)
    may_have_key = not receipt.duplicate or _registered(job_id, caller, services)
    shown = {
        **_present(instance, services),
        "duplicate": receipt.duplicate,
        "callback_url": (services.settings.public_url or _own_url()) + path_of(job_id),
        "callback_key": services.senders.key_of(job_id) if may_have_key else None,
    }
    headers = [("Location", url_for("jobs.show", job_id=job_id)), ("Cache-Control", "no-store")]
    return in_json(shown, 201, headers)


def _own_url() -> str:
    # Without MILEPOST_PUBLIC_URL: the address that the caller of this request reached.
    return request.root_url.rstrip("/")


def _registered(job_id: str, caller: Principal, services: Services) -> bool:
    """Tell whether it was this caller who registered the job."""
    queued = services.milepost.find(job_id).queued
    return (
        queued is not None
        and (queued.requested_by, queued.owner) == (caller.name, caller.user_id)
        # Several tokens may have one name. An earlier release did not record which one asked.
        and queued.token_id in (None, caller.token_id)
    )


@bp.route("/api/jobs", operation="list_jobs")
@bp.needs("read")
@bp.arguments(JobQuerySchema, location="query")
@bp.response(200, JobListSchema, headers=PAGED)
@bp.problem(503, "min_position was not reached in time, or the read model is being rebuilt")
def index(query: dict[str, Any]) -> Answer:
    """List jobs, the newest first; the Link header names the next page.

    With `attention`, list the jobs that need somebody now, the worst first: machines that were left
    behind, jobs without a heartbeat, and jobs that are pending for long.
    """
    services, caller = access.services(), access.principal()
    position = query.pop("min_position", 0)
    if position and not services.reader.wait_for(position, MIN_POSITION_WAIT_SECONDS):
        raise ReadModelBehind(f"The read model has not reached position {position} yet.")
    if not caller.sees(query.setdefault("user_id", caller.user_id)):
        return in_json({"jobs": []})
    limit, cursor = query.pop("limit"), query.pop("cursor", None)
    if query.pop("attention"):
        return _needing_somebody(query, limit, cursor)
    before = _before(cursor) if cursor else None
    instances = services.reader.instances(JobFilter(**query, before=before, limit=limit + 1))
    page = instances[:limit]
    bodies = [_present(instance, services) for instance in page]
    links = [next_page(cursor=f"p{page[-1].first_position}")] if len(instances) > limit else []
    return in_json({"jobs": bodies}, headers=links)


def _needing_somebody(filters: dict[str, Any], limit: int, cursor: str | None) -> Answer:
    services, now = access.services(), access.services().now()
    after = _after(cursor) if cursor else None
    wanted = AttentionFilter(**filters, now=now, after=after, limit=limit + 1)
    instances = services.reader.attention(wanted)
    page = instances[:limit]
    bodies = [
        attention_body(instance, reasons, services.workflows, now, services.reader.first_start)
        for instance, reasons in needing(page, services.workflows, now)
    ]
    last = candidate(page[-1], services.workflows) if len(instances) > limit else None
    links = [next_page(cursor=f"r{last.rank}p{page[-1].first_position}")] if last else []
    return in_json({"jobs": bodies}, headers=links)


@bp.route("/api/jobs/<id:job_id>", operation="get_job")
@bp.needs("read", by=LINKED)
@bp.arguments(PlaceQuerySchema, location="query", reads=OlderPlaceQuerySchema())
@bp.response(200, JobSchema, headers=TAGGED)
@bp.conditional
@bp.parameter(PREFER)
@bp.problem(404, "No such job, or not yours, or it has no such version or time")
def show(query: dict[str, Any], job_id: str) -> Answer:
    """Show a job: now, or at a version or time in the past.

    For a time, the events are folded in order of version, up to the first event that was recorded
    after it.
    """
    if not query:
        return through_flask(present, job_id=job_id)
    services = access.services()
    newest = services.reader.instance(job_id)
    if newest is None or not access.principal().sees(newest.user_id):
        raise JobNotFound
    if "start" in query:
        return _difference(query["start"], query.get("end", PointInHistory()), newest)
    place = PointInHistory(**query)
    instance = services.history.instance(newest, place)
    tag = etag(instance.position, services.workflows.fingerprint)
    headers = lasting(tag) if is_settled(place, instance, newest) else tagged(tag)
    if known := not_modified(tag, headers):
        return known
    whole = services.history.with_whole_errors(instance)
    return in_json(job_body(whole, services.workflows), headers=headers)


async def present(request: Request, door: Door, job_id: str) -> Answer:
    """Show a job now; with a preference to wait, when it is not what the client has any more."""
    services, caller = door.services, await door.admit(request, "read")
    instance = _visible(await door.job(job_id), caller)
    tag, seconds, waited = _tag(instance, services), preferred_wait(request.header), False
    if seconds and is_known(tag, request.header):
        watch = Watch(caller, instance.position, job_id=job_id)
        if waited := await door.changed(watch, seconds):
            instance = _visible(await door.job(job_id), caller)
            tag = _tag(instance, services)
    headers = [*tagged(tag), *([applied(seconds)] if waited else ())]
    if known := not_modified(tag, headers, request.header):
        return known
    if has_shortened_errors(instance):
        instance = await door.apart(partial(services.history.with_whole_errors, instance), caller)
    return in_json(_present(instance, services), headers=headers)


def _tag(instance: Instance, services: Services) -> str:
    _, health_changes = varying(instance, services.workflows, services.now())
    return etag(instance.position, services.workflows.fingerprint, health_changes)


def _visible(instance: Instance | None, caller: Principal) -> Instance:
    if instance is None or not caller.sees(instance.user_id):
        raise JobNotFound
    return instance


def _present(instance: Instance, services: Services) -> dict[str, Any]:
    return job_body(instance, services.workflows, services.now(), services.reader.first_start)


def _difference(start: PointInHistory, end: PointInHistory, present: Instance) -> Answer:
    services = access.services()
    history = services.history
    before, after = (history.instance(present, place) for place in (start, end))
    tag = etag(after.position, services.workflows.fingerprint, before.position)
    settled = is_settled(start, before, present) and is_settled(end, after, present)
    headers = lasting(tag) if settled else tagged(tag)
    if known := not_modified(tag, headers):
        return known
    whole = history.with_whole_errors
    body = difference_body(
        whole(before), whole(after), lambda each: job_body(each, services.workflows)
    )
    return in_json(body, headers=headers)


@bp.route("/api/jobs/<id:job_id>/changes", operation="get_job_changes")
@bp.needs("read")
@bp.arguments(ChangesQuerySchema, location="query")
@bp.response(200, DifferenceSchema, headers=TAGGED)
@bp.conditional
@bp.problem(404, "No such job, or not yours, or it has no such version or time")
def changes(query: dict[str, Any], job_id: str) -> Answer:
    """Show what changed in a job between two versions or times."""
    newest = access.services().reader.instance(job_id)
    if newest is None and (longer := of_longer_id(f"{job_id}/changes")):
        return longer
    if newest is None or not access.principal().sees(newest.user_id):
        raise JobNotFound
    return _difference(query["start"], query.get("end", PointInHistory()), newest)


@bp.route("/api/jobs/<id:job_id>/timeline", operation="get_job_timeline")
@bp.needs("read")
@bp.response(200, TimelineSchema, headers=TAGGED)
@bp.conditional
@bp.problem(404, "No such job, or not yours")
def timeline(job_id: str) -> Answer:
    """Show a job's attempts with their steps, durations and silences."""
    services = access.services()
    its_timeline = services.reader.timeline(job_id)
    if its_timeline is None and (longer := of_longer_id(f"{job_id}/timeline")):
        return longer
    if its_timeline is None or not access.principal().sees(its_timeline.user_id):
        raise JobNotFound
    tag = etag(its_timeline.position, services.workflows.fingerprint)
    if known := not_modified(tag):
        return known
    whole = services.history.with_whole_errors(its_timeline)
    return in_json(timeline_body(whole, services.workflows), headers=tagged(tag))


def of_longer_id(job_id: str) -> Answer | None:
    """Show the job with this id, which the path of another route spells; None if there is none.

    An id may contain slashes. A job of another user answers as none does: its route must not read
    the query, whose faults would tell that the job is there.
    """
    instance = access.services().reader.instance(job_id)
    if instance is None or not access.principal().sees(instance.user_id):
        return None
    return cast(Answer, show(job_id=job_id))


def _before(cursor: str) -> int:
    return _numbers(r"p?([0-9]{1,18})", cursor)[0]


def _after(cursor: str) -> tuple[int, int]:
    rank, first_position = _numbers(r"r([0-9]{1,3})p([0-9]{1,18})", cursor)
    return rank, first_position


def _numbers(pattern: str, cursor: str) -> tuple[int, ...]:
    if matched := re.fullmatch(pattern, cursor):
        return tuple(map(int, matched.groups()))
    raise InvalidFields({"cursor": ["Not a cursor from a Link header."]})
