"""A job or an agent without the rest of the page, for an iframe of another application.

The page says at which step a job failed, but not the error: an error is the end of a log, and the
page is for everybody who has the link. The stream to which it leads says no more: everybody can
read its address in the page.
"""

from __future__ import annotations

from flask import Blueprint, Response, url_for

from api.http.callers.access import principal, services
from api.http.making import making
from api.pages.agent import seen_agent
from api.pages.content.jobs import present_content
from api.pages.job import seen_job
from api.pages.policy import page
from api.pages.visitor import came_by_link, for_visitors, link_for
from projections.views.instance import Instance

bp = Blueprint("embed", __name__)


@bp.get("/embed/jobs/<id:job_id>")
@for_visitors("read")
def job(job_id: str) -> Response:
    """Show the steps of a job."""
    stream = url_for("embedded_streams.show_embedded_job", job_id=job_id)
    with making(principal()):
        return _page(seen_job(job_id), f"job:{job_id}", stream)


@bp.get("/embed/agents/<id:agent_id>")
@for_visitors("read")
def agent(agent_id: str) -> Response:
    """Show the steps of an agent's newest job."""
    stream = url_for("embedded_streams.show_embedded_agent", agent_id=agent_id)
    with making(principal()):
        return _page(seen_agent(agent_id), f"agent:{agent_id}", stream)


def _page(newest: Instance, watched: str, stream: str) -> Response:
    return page(
        "embed.html",
        watched=watched,
        # Without a session, the script cannot watch what the tabs of a browser share.
        stream=link_for(stream) if came_by_link() else None,
        **present_content(newest, services(), services().now()),
    )
