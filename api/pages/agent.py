"""The page of one agent: its instance, and its earlier jobs."""

from __future__ import annotations

from flask import Blueprint, Response, request

from api.http.callers.access import principal, services
from api.http.callers.visibility import visible_agent
from api.http.making import making
from api.pages.content.jobs import present_content
from api.pages.content.lists import Lists, asked_by
from api.pages.policy import page
from api.pages.visitor import for_visitors
from projections.views.instance import Instance

bp = Blueprint("agent", __name__)


@bp.get("/agents/<id:agent_id>")
@for_visitors("read")
def show(agent_id: str) -> Response:
    """Show an agent."""
    with making(principal()):
        return _page(agent_id)


def _page(agent_id: str) -> Response:
    newest, wired = seen_agent(agent_id), services()
    now = wired.now()
    asked = asked_by({"agent": agent_id, "cursor": request.args.get("cursor", "")})
    shown = present_content(newest, wired, now)
    return page(
        "agent.html",
        agent_id=agent_id,
        is_first_page=asked.cursor is None,
        **shown,
        **Lists(wired, principal(), now).found(asked),
    )


def seen_agent(agent_id: str) -> Instance:
    """Return the agent's newest job; raise `AgentNotFound`, also for an agent of another user."""
    return visible_agent(services().reader.instance_of(agent_id), principal())
