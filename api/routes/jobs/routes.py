"""The routes of jobs: register a job, list jobs, show one job and its timeline."""

from __future__ import annotations

from typing import Any, cast

from flask import url_for

from api.errors import MissingScope, ReadModelBehind
from api.http.answers import in_json
from api.http.callback_paths import path_of
from api.http.callers import access
from api.http.callers.address import base_url
from api.http.callers.visibility import visible_job
from api.http.etags import etag, lasting, not_modified, tagged
from api.http.flask_side.blueprint import LINKED, LOCATION, PAGED, TAGGED, Blueprint
from api.http.flask_side.door import through_flask
from api.http.flask_side.paging import next_page
from api.http.headers import header
from api.http.idempotency import idempotency_key, parameter
from api.http.making import making
from api.http.messages import Answer
from api.http.waiting import PREFER
from api.representations.difference import is_settled
from api.representations.job import job_body
from api.representations.timeline import timeline_body
from api.routes.jobs.listing import newest_first, worst_first
from api.routes.jobs.registering import key_shown, queue
from api.routes.jobs.showing import body_now, difference, present
from api.schemas.history import DifferenceSchema
from api.schemas.jobs import JobListSchema, JobSchema, RegisteredSchema
from api.schemas.queries import ChangesQuerySchema, OlderPlaceQuerySchema, PlaceQuerySchema
from api.schemas.requests import JobQuerySchema, RegistrationSchema
from api.schemas.timeline import TimelineSchema
from api.wiring import Services
from domain.errors import JobNotFound
from projections.reading.time_travel import PointInHistory
from projections.views.timeline import Timeline

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
    receipt = queue(body, idempotency_key(header), caller, services)
    job_id = receipt.job_id
    instance = services.reader.recorded(job_id, receipt.version)
    base = base_url(services.settings.public_url)
    shown = {
        **body_now(instance, services),
        "duplicate": receipt.duplicate,
        "callback_url": base + path_of(job_id),
        "callback_key": key_shown(receipt, caller, services),
    }
    headers = [("Location", url_for("jobs.show", job_id=job_id)), ("Cache-Control", "no-store")]
    return in_json(shown, 201, headers)


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
    wait_for = services.reader.catching_up.wait_for
    if position and not wait_for(position, MIN_POSITION_WAIT_SECONDS, caller.sharer):
        raise ReadModelBehind(f"The read model has not reached position {position} yet.")
    if not caller.sees(query.setdefault("user_id", caller.user_id)):
        return in_json({"jobs": []})
    limit, cursor = query.pop("limit"), query.pop("cursor", None)
    choose = worst_first if query.pop("attention") else newest_first
    with making(caller):
        page = choose(query, limit, cursor, services)
        links = [next_page(cursor=page.cursor)] if page.cursor else []
        return in_json({"jobs": page.jobs}, headers=links)


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
    with making(access.principal()):
        return _past(query, job_id)


def _past(query: dict[str, Any], job_id: str) -> Answer:
    services = access.services()
    newest = visible_job(services.reader.instance(job_id), access.principal())
    if "start" in query:
        return difference(query["start"], query.get("end", PointInHistory()), newest, services)
    place = PointInHistory(**query)
    instance = services.history.instance(newest, place)
    tag = etag(instance.position, services.workflows.fingerprint)
    headers = lasting(tag) if is_settled(place, instance, newest) else tagged(tag)
    if known := not_modified(tag, headers):
        return known
    whole = services.history.with_whole_errors(instance)
    return in_json(job_body(whole, services.workflows), headers=headers)


@bp.route("/api/jobs/<id:job_id>/changes", operation="get_job_changes")
@bp.needs("read")
@bp.arguments(ChangesQuerySchema, location="query")
@bp.response(200, DifferenceSchema, headers=TAGGED)
@bp.conditional
@bp.problem(404, "No such job, or not yours, or it has no such version or time")
def changes(query: dict[str, Any], job_id: str) -> Answer:
    """Show what changed in a job between two versions or times."""
    services = access.services()
    with making(access.principal()):
        if found := services.reader.instance(job_id):
            newest = visible_job(found, access.principal())
            return difference(query["start"], query.get("end", PointInHistory()), newest, services)
    if longer := of_longer_id(f"{job_id}/changes"):
        return longer
    raise JobNotFound


@bp.route("/api/jobs/<id:job_id>/timeline", operation="get_job_timeline")
@bp.needs("read")
@bp.response(200, TimelineSchema, headers=TAGGED)
@bp.conditional
@bp.problem(404, "No such job, or not yours")
def timeline(job_id: str) -> Answer:
    """Show a job's attempts with their steps, durations and silences."""
    services = access.services()
    with making(access.principal()):
        if its_timeline := services.reader.timeline(job_id):
            return _timeline(visible_job(its_timeline, access.principal()), services)
    if longer := of_longer_id(f"{job_id}/timeline"):
        return longer
    raise JobNotFound


def _timeline(its_timeline: Timeline, services: Services) -> Answer:
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
    return cast(Answer, show(job_id=job_id)) if _is_visible(job_id) else None


def _is_visible(job_id: str) -> bool:
    # A function of its own lets go of the job's document, before `show` may wait for its turn.
    instance = access.services().reader.instance(job_id)
    return instance is not None and access.principal().sees(instance.user_id)
