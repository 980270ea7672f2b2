"""Badges: the state of a job, of an agent's newest job or of a workflow's last run, as an image.

A page shows nothing in place of an image whose answer is a 404. So what is not there, or not for
this caller, has a badge too: `unknown`, the same for both.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Any, Final

from flask import g

from api.badges.badge import SECONDS, Badge, for_shields, of_job, unknown
from api.badges.svg import svg
from api.http.answers import encoded
from api.http.callers import access
from api.http.etags import not_modified, tagged
from api.http.flask_side.blueprint import LINKED, TAGGED, TEXT, UNAVAILABLE, Blueprint
from api.http.messages import Answer
from api.representations.job import job_body
from api.routes.jobs.routes import of_longer_id
from api.schemas.answers import BadgeSchema
from api.schemas.queries import BadgeQuerySchema
from api.tokens import Principal
from projections.reading.last_run import last_run
from projections.views.instance import Instance

bp = Blueprint("badges", __name__, description="The state of a job as a small image")

SVG: Final = "image/svg+xml"
INERT: Final = ("Content-Security-Policy", "default-src 'none'")
"""The policy of an image that somebody opens as a page."""
SAME_ORIGIN: Final = ("Cross-Origin-Resource-Policy", "same-origin")
"""Keeps a badge from neighbours. A cookie goes with the images of a page on another port or
subdomain, too, and the size of the image would tell that page the job's state."""


def described(view: Callable[..., Any]) -> Callable[..., Any]:
    """Document what all badges have in common."""
    read = bp.arguments(BadgeQuerySchema, location="query")(view)
    documented = bp.problem(401, "Badges are not public here, and the token is missing or invalid")(
        bp.conditional(read)
    )
    documented = bp.problem(403, "The token lacks the scope")(documented)
    documented = bp.problem(404, "No id: too long, or with a control character")(documented)
    documented = bp.problem(503, UNAVAILABLE)(documented)
    return bp.doc(security=list(LINKED))(documented)


def image(view: Callable[..., Any]) -> Callable[..., Any]:
    """Document a badge that is an image."""
    return described(bp.response(200, TEXT, content_type=SVG, headers=TAGGED)(view))


def endpoint(view: Callable[..., Any]) -> Callable[..., Any]:
    """Document a badge that Shields draws."""
    return described(bp.response(200, BadgeSchema, headers=TAGGED)(view))


@bp.route("/api/jobs/<id:job_id>/badge.svg", operation="get_job_badge")
@image
def job_svg(query: dict[str, Any], job_id: str) -> Answer:
    """Show a job's badge as an image."""
    return _of_a_job(job_id, "svg", query, as_image)


@bp.route("/api/jobs/<id:job_id>/badge.json", operation="get_job_badge_endpoint")
@endpoint
def job_json(query: dict[str, Any], job_id: str) -> Answer:
    """Show a job's badge as Shields reads it from an endpoint."""
    return _of_a_job(job_id, "json", query, as_endpoint)


@bp.route("/api/agents/<id:agent_id>/badge.svg", operation="get_agent_badge")
@image
def agent_svg(query: dict[str, Any], agent_id: str) -> Answer:
    """Show the badge of an agent's newest job as an image."""
    return _of_an_agent(agent_id, query, as_image)


@bp.route("/api/agents/<id:agent_id>/badge.json", operation="get_agent_badge_endpoint")
@endpoint
def agent_json(query: dict[str, Any], agent_id: str) -> Answer:
    """Show the badge of an agent's newest job as Shields reads it from an endpoint."""
    return _of_an_agent(agent_id, query, as_endpoint)


@bp.route("/api/workflows/<id:workflow>/badge.svg", operation="get_workflow_badge")
@image
def workflow_svg(query: dict[str, Any], workflow: str) -> Answer:
    """Show the badge of a workflow's last run as an image; `workflow` is a name or name@version."""
    return _of_a_workflow(workflow, query, as_image)


@bp.route("/api/workflows/<id:workflow>/badge.json", operation="get_workflow_badge_endpoint")
@endpoint
def workflow_json(query: dict[str, Any], workflow: str) -> Answer:
    """Show the badge of a workflow's last run as Shields reads it from an endpoint."""
    return _of_a_workflow(workflow, query, as_endpoint)


def as_image(badge: Badge) -> tuple[str, bytes]:
    """Return the type and the bytes of a badge that is an image."""
    return SVG, svg(badge).encode()


def as_endpoint(badge: Badge) -> tuple[str, bytes]:
    """Return the type and the bytes of a badge that Shields draws."""
    return "application/json", encoded(for_shields(badge)) + b"\n"


def _of_a_job(
    job_id: str, suffix: str, query: dict[str, Any], written: Callable[[Badge], tuple[str, bytes]]
) -> Answer:
    caller = _reader()
    job = access.services().reader.instance(job_id)
    if job is None and caller and (longer := of_longer_id(f"{job_id}/badge.{suffix}")):
        return longer
    return _answer(job, caller, query.get("label", job_id), written)


def _of_an_agent(
    agent_id: str, query: dict[str, Any], written: Callable[[Badge], tuple[str, bytes]]
) -> Answer:
    caller = _reader()
    job = access.services().reader.instance_of(agent_id)
    return _answer(job, caller, query.get("label", agent_id), written)


def _of_a_workflow(
    workflow: str, query: dict[str, Any], written: Callable[[Badge], tuple[str, bytes]]
) -> Answer:
    caller, services = _reader(), access.services()
    owner = caller.user_id if caller else None
    job = last_run(workflow, services.reader, services.workflows, owner)
    return _answer(job, caller, query.get("label", workflow), written)


def _reader() -> Principal | None:
    """Return who asks; None if badges are public, because then it does not matter.

    Raises what `access.admitted` raises.
    """
    services = access.services()
    # Without a token, the front answers by the few threads that it has for strangers.
    if services.settings.public_badges:
        return None
    g.principal = access.admitted(access.asked(), access.known_to(services), services, "read")
    return access.principal()


def _answer(
    job: Instance | None,
    caller: Principal | None,
    label: str,
    written: Callable[[Badge], tuple[str, bytes]],
) -> Answer:
    services = access.services()
    if job is None or (caller and not caller.sees(job.user_id)):
        badge = unknown(label)
    else:
        first_start = services.reader.first_start
        badge = of_job(job_body(job, services.workflows, services.now(), first_start), label)
    kind, body = written(badge)
    tag = sha256(body).hexdigest()[:16]
    if caller is None:
        cached = [("Cache-Control", f"public, max-age={SECONDS}")]
    else:
        cached = [
            ("Cache-Control", f"private, max-age={SECONDS}"),
            ("Vary", "Authorization, Cookie"),
        ]
        # A link is made to show the badge elsewhere.
        if access.asked().link is None:
            cached.append(SAME_ORIGIN)
    headers = [each for each in tagged(tag) if each[0] == "ETag"] + cached
    return not_modified(tag, headers) or Answer(
        200, [*headers, ("Content-Type", kind), INERT], body
    )
