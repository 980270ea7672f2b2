"""Schemas of a job's timeline: its attempts, their steps and gaps."""

from __future__ import annotations

from typing import get_args

from marshmallow import fields, validate

from api.schemas.answers import AS_OUTCOME, SKEW, AnswerSchema, OutcomeField, error_field
from api.schemas.fields import LongInteger
from domain.job.attempt.state import Status

LEFT_OUT = (
    "True if the job's state had no room for steps of this attempt; the job's events have them"
)
ATTEMPTS_LEFT_OUT = (
    "How many attempts the job's state had no room for, mostly the oldest; the job's events have "
    "them"
)


class TimelineStepSchema(AnswerSchema):
    """A step, from its report to the report of the next step or the end of the attempt.

    If an operator ended the attempt after a silence, its last step ends where the silence begins.
    """

    step = fields.String()
    ui_step = fields.String(allow_none=True, metadata={"description": "null if unknown"})
    ui_label = fields.String(
        allow_none=True, metadata={"description": "What a person sees meanwhile; null if unknown"}
    )
    late = fields.Boolean(
        metadata={"description": "True if the first report came after the end of the attempt"}
    )
    started_at = fields.AwareDateTime()
    finished_at = fields.AwareDateTime(allow_none=True)
    duration_seconds = fields.Float(allow_none=True)


class GapSchema(AnswerSchema):
    """A silence longer than two heartbeat intervals."""

    since = fields.AwareDateTime()
    until = fields.AwareDateTime()
    duration_seconds = fields.Float()


class AttemptSchema(AnswerSchema):
    """One attempt of a job."""

    number = fields.Integer()
    status = fields.String(validate=validate.OneOf(get_args(Status)))
    outcome = OutcomeField()
    present = fields.Boolean(metadata={"description": "True for the attempt that the job shows"})
    superseded = fields.Boolean(
        metadata={"description": "True if another run took its place while it was in progress"}
    )
    workflow_run_id = fields.String(allow_none=True)
    run_attempt = LongInteger(allow_none=True)
    waiting_since = fields.AwareDateTime(
        allow_none=True,
        metadata={
            "description": "When the job was registered, or the retry was ordered; null if the "
            "workflow began without that"
        },
    )
    started_at = fields.AwareDateTime(allow_none=True)
    finished_at = fields.AwareDateTime(allow_none=True)
    duration_seconds = fields.Float(allow_none=True)
    error = error_field()
    failed_step = fields.String(allow_none=True)
    timed_out = fields.Boolean()
    cancelled = fields.Boolean(metadata=AS_OUTCOME)
    server_id = fields.String(allow_none=True)
    rollback_requested_at = fields.AwareDateTime(allow_none=True)
    clock_skew_seconds = fields.Integer(allow_none=True, metadata={"description": SKEW})
    last_contact_at = fields.AwareDateTime(allow_none=True)
    steps = fields.List(fields.Nested(TimelineStepSchema))
    steps_left_out = fields.Boolean(metadata={"description": LEFT_OUT})
    gaps = fields.List(fields.Nested(GapSchema))


class TimelineSchema(AnswerSchema):
    """A job's attempts in order."""

    job_id = fields.String()
    version = LongInteger()
    position = LongInteger()
    queued_at = fields.AwareDateTime(allow_none=True)
    attempts_left_out = fields.Integer(metadata={"description": ATTEMPTS_LEFT_OUT})
    attempts = fields.List(fields.Nested(AttemptSchema))
