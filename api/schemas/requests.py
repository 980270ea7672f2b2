"""Schemas of requests (marshmallow), from which OpenAPI is generated."""

from __future__ import annotations

from typing import Final

from marshmallow import INCLUDE, RAISE, Schema, ValidationError, fields, validate

from api.schemas.fields import LongInteger, Name, PathName, Reason, RunId
from api.schemas.ids import MAX_RUN_ATTEMPT
from api.schemas.statuses import about_outcome
from domain.job.callback import STATUSES
from domain.log.reading.contract import NEWEST
from projections.views.instance import INSTANCE_STATUSES

DEFAULT_LINK_SECONDS: Final = 86_400
"""How long a link opens its path if nobody says how long: a day."""
MIN_LINK_SECONDS: Final = 60
MAX_LINK_SECONDS: Final = 366 * 86_400
"""A badge in a repository is wanted for long, and its token can be revoked."""


class CallbackSchema(Schema):
    """A callback (seed contract, "Callbacks"). Unknown fields are accepted and stored.

    This describes what to send. `api/intake/` reads callbacks, and bends values that do not fit.
    """

    class Meta:
        """A workflow may add fields of its own."""

        unknown = INCLUDE

    job_id = Name("The provisioning job", required=True)
    type = Name("`heartbeat`, or absent")
    status = fields.String(
        validate=validate.OneOf(STATUSES),
        metadata={"description": "The job's status; `canceled` is understood as `cancelled`"},
    )
    step = Name("The workflow step reached, with status provisioning")
    workflow_run_id = RunId(
        metadata={"description": "The CI run, a string or number", "type": ["string", "integer"]}
    )
    run_attempt = fields.Integer(
        validate=validate.Range(0, MAX_RUN_ATTEMPT),
        metadata={"description": "The number of the run's attempt, as GITHUB_RUN_ATTEMPT"},
    )
    error = fields.String(metadata={"description": "The error's text, with status failed"})
    failed_step = Name("The step that failed, with status failed")
    server_id = Name("The machine's id")
    server_ip = Name("The machine's public address")
    tailscale_ip = Name("The machine's private address")
    callback_id = Name(
        "The id of this delivery: a repeated delivery with the same id is recorded once"
    )
    occurred_at = fields.AwareDateTime(
        format="iso",
        metadata={
            "description": "The time by the sender's clock: RFC 3339 with an offset, or the "
            "seconds or milliseconds since 1970"
        },
    )


class JobCallbackSchema(CallbackSchema):
    """A callback that was sent to the URL of its job."""

    job_id = Name("The job of the URL; may be left out if the job's own key signs")


class RegistrationSchema(Schema):
    """A job to register before its workflow is dispatched."""

    class Meta:
        """A misspelt field must not go unnoticed."""

        unknown = RAISE

    agent_id = PathName("The agent that is provisioned", required=True)
    job_id = PathName("The job's id; Milepost makes one if it is left out")
    user_id = Name("The agent's owner; by default the user that the token is bound to")
    region = Name("The machine's region", load_default="us-east")
    workflow = Name(
        "A workflow definition, as name or name@version; the default definition if left out"
    )


class OrderSchema(Schema):
    """Why an operator asks for it."""

    class Meta:
        """A misspelt field must not go unnoticed."""

        unknown = RAISE

    reason = Reason("The reason, which is recorded and shown")


class LinkRequestSchema(Schema):
    """What a link opens, and for how long."""

    class Meta:
        """A misspelt field must not go unnoticed."""

        unknown = RAISE

    expires_in = fields.Integer(
        load_default=DEFAULT_LINK_SECONDS,
        strict=True,
        validate=validate.Range(MIN_LINK_SECONDS, MAX_LINK_SECONDS),
        metadata={"description": "How long the link opens it, in seconds"},
    )


class JobLinkSchema(LinkRequestSchema):
    """What a link opens about a job."""

    opens = fields.String(
        load_default="page",
        validate=validate.OneOf(("page", "stream", "badge", "job")),
        metadata={"description": "`page` is a page for an iframe, `job` the JSON"},
    )


class AgentLinkSchema(LinkRequestSchema):
    """What a link opens about an agent."""

    opens = fields.String(
        load_default="page",
        validate=validate.OneOf(("page", "stream", "badge", "instance")),
        metadata={"description": "`page` is a page for an iframe, `instance` the JSON"},
    )


class WorkflowLinkSchema(LinkRequestSchema):
    """What a link opens about a workflow."""

    opens = fields.String(
        load_default="badge",
        validate=validate.OneOf(("badge",)),
        metadata={"description": "`badge` is the image of its last run"},
    )


class StoppedSchema(OrderSchema):
    """Why a machine is gone, and which one."""

    server_id = Name("The machine that is gone; needed if the job has several that may be meant")


def _no_outcome(status: str) -> None:
    if hint := about_outcome(status):
        raise ValidationError(hint)


class JobQuerySchema(Schema):
    """A selection of jobs."""

    class Meta:
        """A misspelt filter must not show everything."""

        unknown = RAISE

    agent_id = Name("Only this agent's jobs")
    user_id = Name("Only this user's jobs")
    status = fields.String(
        validate=[_no_outcome, validate.OneOf(INSTANCE_STATUSES)],
        metadata={"description": "Only jobs with this status"},
    )
    attention = fields.Boolean(
        load_default=False,
        metadata={"description": "Only jobs that need somebody now, the worst first, with reasons"},
    )
    limit = fields.Integer(
        strict=False,
        load_default=50,
        validate=validate.Range(1, 200),
        metadata={"description": "The most jobs to return"},
    )
    cursor = fields.String(
        metadata={"description": "The cursor in the Link header of the page before"}
    )
    min_position = LongInteger(
        "Wait until the list includes this position", validate=validate.Range(0, NEWEST)
    )


class ProofQuerySchema(Schema):
    """The tree to prove an event in."""

    class Meta:
        """A misspelt size must not give another proof."""

        unknown = RAISE

    size = LongInteger(
        "The number of events of your checkpoint; all events if left out",
        validate=validate.Range(1, NEWEST),
    )


class ExtensionQuerySchema(ProofQuerySchema):
    """The older and the newer tree of a consistency proof."""

    first_size = LongInteger(
        "The number of events of the older checkpoint",
        required=True,
        validate=validate.Range(1, NEWEST),
    )
