"""History: the events of a job, and of all jobs, with what each of them changed."""

from __future__ import annotations

from typing import Any, cast

from api.http.access import principal, services
from api.http.answers import in_json
from api.http.blueprint import Blueprint
from api.http.etags import etag, not_modified, tagged
from api.http.messages import Answer
from api.http.paging import next_page
from api.representations.event import page_body
from api.routes import jobs
from api.schemas.history import EventPageSchema
from api.schemas.queries import HistoryQuerySchema
from domain.errors import JobNotFound
from projections.reading.entries import Wanted

bp = Blueprint("history", __name__, description="What happened, and who said so")


@bp.route("/api/jobs/<id:job_id>/events")
@bp.needs("read")
@bp.arguments(HistoryQuerySchema, location="query")
@bp.response(200, EventPageSchema)
@bp.alt_response(304, description="Not modified")
@bp.problem(400, "Malformed")
@bp.problem(404, "No such job, or not yours")
def of_job(query: dict[str, Any], job_id: str) -> Answer:
    """Show a job's events in order of version, each with the state that it left.

    `after` is a version. With filters a page looks through a bounded number of events, so that it
    can have few or none of them and still have a next one.
    """
    here = services()
    present = here.reader.instance(job_id)
    if present is None and here.reader.instance(f"{job_id}/events"):
        return cast(Answer, jobs.show(job_id=f"{job_id}/events"))  # a job may be called so
    if present is None or not principal().sees(present.user_id):
        raise JobNotFound
    tag = etag(present.position, here.workflows.fingerprint)
    if known := not_modified(tag):
        return known
    after, limit = query.pop("after"), query.pop("limit")
    page = here.history.of_job(job_id, after, limit, Wanted(**query))
    links = [next_page(after=page.following)] if page.more else []
    return in_json(page_body(page, here.workflows), headers=[*tagged(tag), *links])


@bp.route("/api/events")
@bp.needs("read")
@bp.arguments(HistoryQuerySchema, location="query")
@bp.response(200, EventPageSchema)
@bp.problem(400, "Malformed")
def of_all(query: dict[str, Any]) -> Answer:
    """Show the whole log in order of position.

    `after` is a position, and so is `next_after`, from which a later request goes on. A token that
    is bound to a user sees the events of that user's jobs, as far as the read model knows them.
    """
    here = services()
    after, limit = query.pop("after"), query.pop("limit")
    page = here.history.of_all(after, limit, Wanted(**query), principal().user_id)
    links = [next_page(after=page.following)] if page.more else []
    return in_json(page_body(page, here.workflows), headers=links)
