"""The page of one job: now, or as it was after any of its events."""

from __future__ import annotations

from flask import Blueprint, Response, url_for
from flask import redirect as redirected
from werkzeug.wrappers import Response as Redirect

from api.http.callers.access import principal, services
from api.pages.content.jobs import content_of
from api.pages.policy import page
from api.pages.visitor import for_visitors
from domain.errors import JobNotFound
from projections.views.instance import Instance

bp = Blueprint("job", __name__)


@bp.get("/jobs/<id:job_id>")
@for_visitors("read")
def show(job_id: str) -> Response:
    """Show a job."""
    return page("job.html", **content_of(seen_job(job_id), services(), services().now()))


@bp.get("/audit", defaults={"job_id": ""})
@bp.get("/audit/<id:job_id>")
def audit(job_id: str) -> Redirect:
    """Redirect from the address that a job's history had in an earlier release."""
    return redirected(url_for("job.show", job_id=job_id) if job_id else url_for("pages.jobs"))


def seen_job(job_id: str) -> Instance:
    """Return the job as it is now; raise `JobNotFound`, also for a job of another user."""
    job = services().reader.instance(job_id)
    if job is None or not principal().sees(job.user_id):
        raise JobNotFound
    return job
