"""Jobs: register a job, list jobs, show one job and its timeline."""

from __future__ import annotations

import hashlib
from typing import Any, cast
from uuid import uuid4

import msgspec
from flask import url_for

from api.errors import InvalidFields, MissingScope, ReadModelBehind
from api.http import access
from api.http.answers import in_json
from api.http.etags import etag, lasting, not_modified, tagged
from api.http.flask_side.blueprint import Blueprint
from api.http.flask_side.paging import next_page
from api.http.headers import header
from api.http.idempotency import idempotency_key, parameter
from api.http.messages import Answer
from api.representations.difference import difference_body, is_settled
from api.representations.job import job_body, timeline_body
from api.schemas.answers import JobListSchema, JobSchema, RegisteredSchema, TimelineSchema
from api.schemas.history import DifferenceSchema
from api.schemas.queries import PlaceQuerySchema
from api.schemas.requests import JobQuerySchema, RegistrationSchema
from domain.errors import JobNotFound
from domain.job.commands.registration import QueueJob
from projections.read_model.contract import JobFilter
from projections.reading.time_travel import PointInHistory
from projections.views.instance import Instance

bp = Blueprint("jobs", __name__, description="Provisioning jobs")

MIN_POSITION_WAIT_SECONDS = 5.0


@bp.route("/api/jobs", methods=["POST"])
@bp.needs("write")
@bp.arguments(RegistrationSchema)
@bp.response(201, RegisteredSchema)
@bp.problem(400, "Malformed")
@bp.problem(409, "The id is in use, or another job is in progress")
@bp.doc(parameters=[parameter("The same key returns the same job")])
def register(body: dict[str, Any]) -> Answer:
    """Register a job, before its workflow is dispatched."""
    services, caller = access.services(), access.principal()
    if not caller.sees(body.setdefault("user_id", caller.user_id)):
        raise MissingScope(f"The token {caller.name!r} registers jobs of its own user only.")
    # The digest is of the request itself: a later release may have another default workflow.
    digest = hashlib.sha256(msgspec.json.encode(body, order="sorted"))
    workflow = services.workflows.find(body.pop("workflow", None)).ref
    receipt = services.milepost.queue(
        QueueJob(
            **{"job_id": str(uuid4()), **body},
            workflow=workflow,
            idempotency_key=idempotency_key(header),
            digest=digest.hexdigest(),
            requested_by=caller.name,
            owner=caller.user_id,
        )
    )
    instance = services.reader.instance(receipt.job_id)
    assert instance is not None  # the receipt says that it is stored
    shown = {**job_body(instance, services.workflows), "duplicate": receipt.duplicate}
    location = url_for("jobs.show", job_id=receipt.job_id)
    return in_json(shown, 201, [("Location", location)])


@bp.route("/api/jobs")
@bp.needs("read")
@bp.arguments(JobQuerySchema, location="query")
@bp.response(200, JobListSchema)
@bp.problem(400, "Malformed")
@bp.problem(503, "min_position was not reached in time")
def index(query: dict[str, Any]) -> Answer:
    """List jobs, the newest first; the Link header names the next page."""
    services, caller = access.services(), access.principal()
    position = query.pop("min_position", 0)
    if position and not services.reader.wait_for(position, MIN_POSITION_WAIT_SECONDS):
        raise ReadModelBehind(f"The read model has not reached position {position} yet.")
    if not caller.sees(query.setdefault("user_id", caller.user_id)):
        return in_json({"jobs": []})
    limit, cursor = query.pop("limit"), query.pop("cursor", None)
    before = _before(cursor) if cursor else None
    instances = services.reader.instances(JobFilter(**query, before=before, limit=limit + 1))
    page = instances[:limit]
    bodies = [job_body(instance, services.workflows) for instance in page]
    links = [next_page(cursor=f"p{page[-1].first_position}")] if len(instances) > limit else []
    return in_json({"jobs": bodies}, headers=links)


@bp.route("/api/jobs/<id:job_id>")
@bp.needs("read")
@bp.arguments(PlaceQuerySchema, location="query")
@bp.response(
    200,
    {"oneOf": [JobSchema, DifferenceSchema]},
    description="The second shape answers a query with `from`",
)
@bp.alt_response(304, description="Not modified")
@bp.problem(400, "Malformed")
@bp.problem(404, "No such job, or not yours, or it has no such version or time")
def show(query: dict[str, Any], job_id: str) -> Answer:
    """Show a job: now, at a version or time in the past, or its changes between two of them.

    For a time, the events are folded in order of version, up to the first event that was recorded
    after it.
    """
    services = access.services()
    present = services.reader.instance(job_id)
    if present is None or not access.principal().sees(present.user_id):
        raise JobNotFound
    if "start" in query:
        return _difference(query["start"], query.get("end", PointInHistory()), present)
    place = PointInHistory(**query)
    instance = services.history.instance(present, place)
    tag = etag(instance.position, services.workflows.fingerprint)
    headers = lasting(tag) if is_settled(place, instance, present) else tagged(tag)
    if known := not_modified(tag, headers):
        return known
    return in_json(job_body(instance, services.workflows), headers=headers)


def _difference(start: PointInHistory, end: PointInHistory, present: Instance) -> Answer:
    services = access.services()
    before, after = (services.history.instance(present, place) for place in (start, end))
    tag = etag(after.position, services.workflows.fingerprint, before.position)
    settled = is_settled(start, before, present) and is_settled(end, after, present)
    headers = lasting(tag) if settled else tagged(tag)
    if known := not_modified(tag, headers):
        return known
    body = difference_body(before, after, lambda each: job_body(each, services.workflows))
    return in_json(body, headers=headers)


@bp.route("/api/jobs/<id:job_id>/timeline")
@bp.needs("read")
@bp.response(200, TimelineSchema)
@bp.alt_response(304, description="Not modified")
@bp.problem(404, "No such job, or not yours")
def timeline(job_id: str) -> Answer:
    """Show a job's attempts with their steps, durations and silences."""
    services = access.services()
    its_timeline = services.reader.timeline(job_id)
    if its_timeline is None and services.reader.instance(f"{job_id}/timeline"):
        return cast(Answer, show(job_id=f"{job_id}/timeline"))  # a job may have this id
    if its_timeline is None or not access.principal().sees(its_timeline.user_id):
        raise JobNotFound
    tag = etag(its_timeline.position, services.workflows.fingerprint)
    if known := not_modified(tag):
        return known
    return in_json(timeline_body(its_timeline, services.workflows), headers=tagged(tag))


def _before(cursor: str) -> int:
    digits = cursor.removeprefix("p")
    if digits.isascii() and digits.isdigit() and len(digits) < 19:
        return int(digits)
    raise InvalidFields({"cursor": ["Not a cursor from a Link header."]})
