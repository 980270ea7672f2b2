"""The page of one job: now, or as it was after any of its events."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, request, url_for
from flask import redirect as redirected
from marshmallow import ValidationError
from werkzeug.wrappers import Response as Redirect

from api.errors import InvalidFields, sentence
from api.http.callers.access import principal, services
from api.http.callers.visibility import visible_job
from api.http.making import making
from api.http.problems.kinds import KINDS
from api.pages import visitor
from api.pages.content.events import PAGE_EVENTS, listed, one_event
from api.pages.content.jobs import past_content, present_content
from api.pages.content.orders import DONE, SO_ALREADY, offers
from api.pages.drawing.timeline import drawn
from api.pages.policy import page
from api.pages.visitor import for_visitors
from api.schemas.queries import PlaceQuerySchema
from domain.errors import MilepostError
from projections.reading.time_travel import PointInHistory, checked
from projections.views.instance import Instance

bp = Blueprint("job", __name__)


@bp.get("/jobs/<id:job_id>")
@for_visitors("read")
def show(job_id: str) -> Response:
    """Show a job: now, or with `version` or `at` as it was."""
    with making(principal()):
        return page_of(seen_job(job_id))


@bp.get("/audit", defaults={"job_id": ""})
@bp.get("/audit/<id:job_id>")
def audit(job_id: str) -> Redirect:
    """Redirect from the address that a job's history had in an earlier release."""
    return redirected(url_for("job.show", job_id=job_id) if job_id else url_for("pages.jobs"))


def seen_job(job_id: str) -> Instance:
    """Return the job as it is now; raise `JobNotFound`, also for a job of another user."""
    return visible_job(services().reader.present(job_id), principal())


def page_of(newest: Instance, refused: MilepostError | None = None) -> Response:
    """Return the page of a job; `refused` is why an order about it was not followed."""
    wired, now = services(), services().now()
    version, event = _version(newest), None
    if version is None:
        shown = present_content(newest, wired, now)
    else:
        entry, state = wired.history.after(newest.job_id, version)
        shown = past_content(state, wired, now)
        event = one_event(entry, wired)
    until = request.args.get("until", "")
    last = int(until) if until.isdecimal() and len(until) < 19 else _middle(version, newest)
    may_order = version is None and visitor.may("write")
    return page(
        "job.html",
        KINDS[type(refused)].status if refused else HTTPStatus.OK,
        **shown,
        drawing=drawn(shown["timeline"], shown["now"]),
        newest=newest.version,
        version=version,
        event=event,
        history=listed(newest, last, wired),
        offers=offers(newest, wired.workflows) if may_order else [],
        done=_done(),
        refused=sentence(refused) if refused else None,
    )


def _version(newest: Instance) -> int | None:
    """Return the version that the address asks for; None for the job as it is now.

    Raises `NoSuchMoment` or `InvalidFields`.
    """
    given = {name: value for name in ("version", "at") if (value := request.args.get(name))}
    if not given:
        return None
    try:
        point = checked(PointInHistory(**PlaceQuerySchema().load(given)), newest)
    except ValidationError as fault:
        raise InvalidFields(fault.messages_dict) from fault
    return point.version or services().history.instance(newest, point).version


def _middle(version: int | None, newest: Instance) -> int:
    """Return the version up to which events are listed: the one that is shown is in the middle."""
    return min(newest.version, version + PAGE_EVENTS // 2) if version else newest.version


def _done() -> Any:
    order, _, already = request.args.get("done", "").partition("-")
    if order not in DONE:
        return None
    return SO_ALREADY if already else DONE[order]
