"""Signed links: who may read a thing lets others read one path about it, for a time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from flask import current_app

from api.errors import InvalidFields
from api.http.answers import in_json
from api.http.callers import access
from api.http.callers.address import base_url
from api.http.callers.visibility import visible_agent, visible_job
from api.http.flask_side.blueprint import BY_TOKEN, Blueprint
from api.http.messages import Answer
from api.links import NAME
from api.schemas.answers import LinkSchema
from api.schemas.ids import in_path
from api.schemas.requests import AgentLinkSchema, JobLinkSchema, WorkflowLinkSchema

bp = Blueprint("links", __name__, description="Signed links, for readers without a token")

# What a link may open, by the word for it. An id takes the place of the braces.
OF_JOB: Final = {
    "page": "/embed/jobs/{}",
    "stream": "/api/jobs/{}/stream",
    "badge": "/api/jobs/{}/badge.svg",
    "job": "/api/jobs/{}",
}
OF_AGENT: Final = {
    "page": "/embed/agents/{}",
    "stream": "/api/agents/{}/stream",
    "badge": "/api/agents/{}/badge.svg",
    "instance": "/api/agents/{}/instance",
}
OF_WORKFLOW: Final = {"badge": "/api/workflows/{}/badge.svg"}


@bp.route("/api/jobs/<id:job_id>/links", operation="link_job", methods=["POST"])
@bp.needs("read", by=[BY_TOKEN])
@bp.arguments(JobLinkSchema)
@bp.response(201, LinkSchema)
@bp.problem(404, "No such job, or not yours")
@bp.problem(409, "The server has no secret for links")
def of_job(body: dict[str, Any], job_id: str) -> Answer:
    """Make a link that opens one path about a job, for reading, to whoever has it.

    It gives no more than the token that asks for it, and ends with that token.
    """
    visible_job(access.services().reader.instance(job_id), access.principal())
    return _made(OF_JOB[body["opens"]], job_id, body["expires_in"])


@bp.route("/api/agents/<id:agent_id>/links", operation="link_agent", methods=["POST"])
@bp.needs("read", by=[BY_TOKEN])
@bp.arguments(AgentLinkSchema)
@bp.response(201, LinkSchema)
@bp.problem(404, "No such agent, or not yours")
@bp.problem(409, "The server has no secret for links")
def of_agent(body: dict[str, Any], agent_id: str) -> Answer:
    """Make a link that opens one path about an agent; see the links of a job."""
    visible_agent(access.services().reader.instance_of(agent_id), access.principal())
    return _made(OF_AGENT[body["opens"]], agent_id, body["expires_in"])


@bp.route("/api/workflows/<id:workflow>/links", operation="link_workflow", methods=["POST"])
@bp.needs("read", by=[BY_TOKEN])
@bp.arguments(WorkflowLinkSchema)
@bp.response(201, LinkSchema)
@bp.problem(400, "No such workflow")
@bp.problem(404, "No name of a workflow")
@bp.problem(409, "The server has no secret for links")
def of_workflow(body: dict[str, Any], workflow: str) -> Answer:
    """Make a link to the badge of a workflow's last run; `workflow` is a name or name@version.

    The badge shows the last run that the token may see; see the links of a job.
    """
    access.services().workflows.find(workflow)
    return _made(OF_WORKFLOW[body["opens"]], workflow, body["expires_in"])


def _made(form: str, about: str, seconds: int) -> Answer:
    services, caller = access.services(), access.principal()
    _check(form.format(about), about)
    expires = int(services.clock().timestamp()) + seconds
    link = services.links.make(form.format(about), caller.token_id, expires)
    path = f"{form.format(in_path(about))}?{NAME}={link}"
    base = base_url(services.settings.public_url)
    shown = {
        "url": base + path,
        "path": path,
        "expires_at": datetime.fromtimestamp(expires, UTC).isoformat(),
    }
    return in_json(shown, 201, [("Cache-Control", "no-store")])


def _check(path: str, about: str) -> None:
    """Raise `InvalidFields` for a path by which another route shows something else.

    An id may have slashes: that of the job `a/events` spells the path of the events of job `a`. Who
    chooses such an id would let a program with a token for all jobs link to another user's job.
    """
    _, parameters = current_app.url_map.bind("").match(path)
    if about not in parameters.values():
        raise InvalidFields({"opens": ["This id spells the path of another route: open its page."]})
