"""History: the events of one job and of all jobs, each with its changes."""

from __future__ import annotations

from typing import Any

from api.http.answers import in_json
from api.http.callers import access
from api.http.callers.visibility import visible_job
from api.http.etags import etag, not_modified, tagged
from api.http.flask_side.blueprint import PAGED, TAGGED, Blueprint
from api.http.flask_side.paging import next_page
from api.http.making import making
from api.http.messages import Answer
from api.representations.event import page_body
from api.routes.jobs.routes import of_longer_id
from api.schemas.history import EventPageSchema
from api.schemas.queries import HistoryQuerySchema
from api.wiring import Services
from domain.errors import JobNotFound
from projections.reading.entries import Wanted

bp = Blueprint("history", __name__, description="Events, their senders and their changes")


@bp.route("/api/jobs/<id:job_id>/events", operation="list_job_events")
@bp.needs("read")
@bp.arguments(HistoryQuerySchema, location="query")
@bp.response(200, EventPageSchema, headers={**TAGGED, **PAGED})
@bp.conditional
@bp.problem(404, "No such job, or not yours")
def of_job(query: dict[str, Any], job_id: str) -> Answer:
    """Show a job's events in order of version, each with the state after it.

    `after` is a version. With filters, a page searches a bounded number of events. It can
    therefore be short or empty and still have a next page.
    """
    services = access.services()
    with making(access.principal()):
        if found := services.reader.instance(job_id):
            newest = visible_job(found, access.principal())
            return _of_job(query, job_id, newest.position, services)
    if longer := of_longer_id(f"{job_id}/events"):
        return longer
    raise JobNotFound


def _of_job(query: dict[str, Any], job_id: str, position: int, services: Services) -> Answer:
    tag = etag(position, services.workflows.fingerprint)
    if known := not_modified(tag):
        return known
    after, limit = query.pop("after"), query.pop("limit")
    page = services.history.of_job(job_id, after, limit, Wanted(**query))
    links = [next_page(after=page.following)] if page.more else []
    return in_json(page_body(page, services.workflows), headers=[*tagged(tag), *links])


@bp.route("/api/events", operation="list_events")
@bp.needs("read")
@bp.arguments(HistoryQuerySchema, location="query")
@bp.response(200, EventPageSchema, headers=PAGED)
def of_all(query: dict[str, Any]) -> Answer:
    """Show the whole log in order of position.

    `after` and `next_after` are positions; a later request continues with `after` set to
    `next_after`. A token that is bound to a user sees the events of that user's jobs, up to the
    read model's position.
    """
    services = access.services()
    after, limit = query.pop("after"), query.pop("limit")
    with making(access.principal()):
        page = services.history.of_all(after, limit, Wanted(**query), access.principal().user_id)
        links = [next_page(after=page.following)] if page.more else []
        return in_json(page_body(page, services.workflows), headers=links)
