"""The page of all jobs: what needs somebody, what is in progress, and what came last."""

from __future__ import annotations

from shlex import quote

from flask import Blueprint, Response, redirect, request, url_for
from werkzeug.wrappers import Response as Redirect

from api.http.callers.access import principal, services
from api.http.callers.address import base_url
from api.http.making import making
from api.pages.content.callback_line import callback_line, callback_url
from api.pages.content.lists import MOST_COUNTED, Lists, asked_by
from api.pages.policy import page
from api.pages.visitor import for_visitors, may
from api.schemas.statuses import ONLY_OUTCOMES
from projections.views.instance import INSTANCE_STATUSES

bp = Blueprint(
    "pages",
    __name__,
    template_folder="templates",
    static_folder="static",
    static_url_path="/static",
)

FIRST_CALLBACK = '{"job_id": "job-1", "status": "provisioning"}'


@bp.get("/")
def home() -> Redirect:
    """Redirect a browser from the root to the jobs."""
    return redirect(url_for("pages.jobs"))


@bp.get("/jobs")
@for_visitors("read")
def jobs() -> Response:
    """Show all jobs, or those that the address asks for."""
    with making(principal()):
        return _page()


def _page() -> Response:
    wired, asked = services(), asked_by(request.args)
    # The position first: what the lists show beyond it comes once more in the stream.
    now, position = wired.now(), wired.reader.position()
    lists = Lists(wired, principal(), now)
    shown = lists.overview() if asked.is_an_overview else lists.filtered(asked)
    return page(
        "jobs.html",
        asked=asked,
        may_order=may("write"),
        statuses=(*INSTANCE_STATUSES, *ONLY_OUTCOMES),
        counts=lists.counts(),
        most_counted=MOST_COUNTED,
        position=position,
        now=now,
        demo=f"milepost demo --url {quote(base_url(wired.settings.public_url))}",
        first_callback=callback_line(callback_url(wired), FIRST_CALLBACK),
        **shown,
    )
