"""The page of one agent: its instance, and its earlier jobs."""

from __future__ import annotations

from flask import Blueprint, Response, request

from api.errors import AgentNotFound
from api.http.callers.access import principal, services
from api.pages.content.jobs import present_content
from api.pages.content.lists import Lists, asked_by
from api.pages.policy import page
from api.pages.visitor import for_visitors

bp = Blueprint("agent", __name__)


@bp.get("/agents/<id:agent_id>")
@for_visitors("read")
def show(agent_id: str) -> Response:
    """Show an agent."""
    wired = services()
    newest = wired.reader.instance_of(agent_id)
    if newest is None or not principal().sees(newest.user_id):
        raise AgentNotFound
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
