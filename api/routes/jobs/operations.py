"""Operators' commands: end a job, retry it, stop it, confirm that its machine is gone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from marshmallow import Schema

from api.http.answers import in_json
from api.http.callers import access
from api.http.callers.visibility import visible_job
from api.http.etags import IF_MATCH, expected_version
from api.http.flask_side.blueprint import Blueprint
from api.http.messages import Answer
from api.http.orders import give_order
from api.representations.job import job_body
from api.schemas.jobs import OrderedSchema
from api.schemas.requests import OrderSchema, StoppedSchema
from domain.job.runs.orders import Order

bp = Blueprint("operations", __name__, description="What operators do about a job")

FORBIDDEN = "The job's state does not allow it; `possible` names what it allows"
CHANGED = "The job has changed since the ETag in If-Match"
View = Callable[[dict[str, Any], str], Answer]


def order(
    name: Order, body: type[Schema], *, operation: str = "", forbidden: str = FORBIDDEN
) -> Callable[[View], View]:
    """Make a view the route of an operator's command: all of them look alike but for the body.

    `operation` is `NAME_job` if it is left out; `forbidden` says when the command is answered 409.
    """

    def route(view: View) -> View:
        for decorate in (
            bp.parameter(IF_MATCH),
            bp.problem(412, CHANGED),
            bp.problem(409, forbidden),
            bp.problem(404, "No such job, or not yours"),
            bp.response(200, OrderedSchema),
            bp.arguments(body),
            bp.needs("write"),
            bp.route(
                f"/api/jobs/<id:job_id>/{name}",
                operation=operation or f"{name}_job",
                methods=["POST"],
            ),
        ):
            view = decorate(view)
        return view

    return route


@order("fail", OrderSchema)
def fail(body: dict[str, Any], job_id: str) -> Answer:
    """End a job's attempt in progress as failed.

    A later callback of that run changes nothing but its machine, which has to be removed. A job
    that has failed already stays as it is.
    """
    return _ordered("fail", job_id, body)


@order("cancel", OrderSchema)
def cancel(body: dict[str, Any], job_id: str) -> Answer:
    """End a job's attempt in progress, because nobody wants its result.

    The status is `failed`, the outcome `cancelled`. Milepost cannot cancel the workflow's run:
    cancel that too. A job that is cancelled already stays as it is.
    """
    return _ordered("cancel", job_id, body)


@order("retry", OrderSchema, forbidden=FORBIDDEN + "; or another job of the user is in progress")
def retry(body: dict[str, Any], job_id: str) -> Answer:
    """Open the next attempt of a job that failed or stopped.

    The attempt is pending until its workflow's first callback. Milepost starts no workflow:
    dispatch it, too. A job whose retry waits already stays as it is.
    """
    return _ordered("retry", job_id, body)


@order("stop", OrderSchema)
def stop(body: dict[str, Any], job_id: str) -> Answer:
    """Ask a job's running instance to stop.

    The status is `stopping` until somebody confirms that the machine is gone. A job that is
    stopping or stopped already stays as it is.
    """
    return _ordered("stop", job_id, body)


@order("stopped", StoppedSchema, operation="confirm_job_stopped")
def stopped(body: dict[str, Any], job_id: str) -> Answer:
    """Confirm that a job's machine is gone.

    A running or stopping instance is then `stopped`, and the rollback of a failed attempt is done.
    Nothing takes this back.
    """
    return _ordered("stopped", job_id, body)


def _ordered(name: Order, job_id: str, body: dict[str, Any]) -> Answer:
    services, caller = access.services(), access.principal()
    present = visible_job(services.reader.instance(job_id), caller)
    version = expected_version(present, services.workflows.fingerprint)
    receipt = give_order(
        name,
        job_id,
        services,
        caller,
        reason=body.get("reason"),
        server_id=body.get("server_id"),
        version=version,
    )
    instance = services.reader.recorded(job_id, receipt.version)
    changed = receipt.position is not None
    return in_json(
        {
            **job_body(instance, services.workflows, services.now(), services.reader.first_start),
            "changed": changed,
        }
    )
