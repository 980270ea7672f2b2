"""Schemas of answers (marshmallow), from which OpenAPI is generated."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, ClassVar, Final, get_args

from marshmallow import EXCLUDE, Schema, fields, validate

from api.schemas.fields import LongInteger
from domain.job.attempt.final import Outcome
from domain.job.long_text import MAX_IN_STATE

SKEW: Final = "The largest difference of a sender's clock to ours, if it is above 60 s"
AS_OUTCOME: Final = {
    "description": "The outcome is `cancelled`: ask that",
    "deprecated": True,
}


def error_field() -> fields.String:
    """Return the field of an error, of which a job's state has head and tail."""
    return fields.String(
        allow_none=True,
        metadata={
            "description": f"Of more than {MAX_IN_STATE:,} characters, head and tail; the job's "
            "events have them all"
        },
    )


class OutcomeField(fields.String):
    """How an attempt ended."""

    def __init__(self) -> None:
        super().__init__(
            allow_none=True,
            validate=validate.OneOf(get_args(Outcome)),
            metadata={"description": "How it ended, more exactly than the status; null before"},
        )


class AnswerSchema(Schema):
    """An object of an answer. It has every member, but may lack those in `optional`."""

    optional: ClassVar[Collection[str]] = ()

    class Meta:
        """A later release may add members, so the document forbids none."""

        unknown = EXCLUDE

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        """Say in the document that the member is there."""
        field_obj.required = field_name not in self.optional


class ReceiptSchema(AnswerSchema):
    """Proof that a callback is stored."""

    optional = ("warning",)

    received = fields.Boolean(metadata={"description": "Always true"})
    job_id = fields.String()
    version = LongInteger("The job's version after this callback")
    position = LongInteger("The event's position in the whole log")
    duplicate = fields.Boolean(metadata={"description": "True for a redelivery"})
    warning = fields.String(
        metadata={"description": "Why the callback may be a mistake, if it may be one"}
    )


class LinkSchema(AnswerSchema):
    """A signed link."""

    url = fields.String(metadata={"description": "The address; whoever has it may read"})
    path = fields.String(metadata={"description": "The same without scheme and host"})
    expires_at = fields.AwareDateTime(metadata={"description": "When it ends at the latest"})


class BadgeSchema(AnswerSchema):
    """A badge, as Shields reads it from an endpoint (https://shields.io/badges/endpoint-badge)."""

    schemaVersion = fields.Integer()  # noqa: N815
    label = fields.String()
    message = fields.String()
    color = fields.String()
    isError = fields.Boolean()  # noqa: N815
    cacheSeconds = fields.Integer()  # noqa: N815


class ProofSchema(AnswerSchema):
    """Proof that an event is in the log that the checkpoint signs; hashes are in base64.

    `docs/check_inclusion.py` checks it in ten lines; `docs/check_proof.py` also explains the
    result. RFC 9162, 2.1.3.2, has the steps.
    """

    entry = fields.String(
        metadata={
            "description": 'The line [position,"job",version,"topic"] before the stored bytes'
        }
    )
    stored = fields.String(metadata={"description": "The event's bytes as stored, in base64"})
    leaf_index = LongInteger("The event's index in the tree, from 0")
    tree_size = LongInteger()
    root = fields.String()
    hashes = fields.List(fields.String(), metadata={"description": "From the leaf to the root"})
    checkpoint = fields.String(metadata={"description": "The signed checkpoint of this size"})


class ExtensionSchema(AnswerSchema):
    """Proof that the tree extends the tree of its first `first_size` events (RFC 9162, 2.1.4)."""

    first_size = LongInteger()
    tree_size = LongInteger()
    root = fields.String()
    hashes = fields.List(fields.String())
    checkpoint = fields.String(metadata={"description": "The signed checkpoint of this size"})


class ProblemSchema(AnswerSchema):
    """A problem document (RFC 9457)."""

    optional = ("detail", "error", "errors", "possible")

    type = fields.String(metadata={"description": "Stable: urn:milepost:problem:…"})
    title = fields.String()
    status = fields.Integer()
    detail = fields.String(metadata={"description": "The fault, and what to do about it"})
    instance = fields.String(metadata={"description": "The path of the request"})
    error = fields.String(metadata={"description": "The seed contract's text for this error"})
    errors = fields.Dict(metadata={"description": "Faults by field"})
    possible = fields.List(
        fields.String(), metadata={"description": "The commands that the job's state allows now"}
    )


class LivenessSchema(AnswerSchema):
    """The process answers."""

    status = fields.String(validate=validate.Equal("alive"))


class ReadinessSchema(AnswerSchema):
    """The server takes callbacks, and how far behind the log the read model and the tree are."""

    status = fields.String(validate=validate.Equal("ready"))
    database = fields.String(metadata={"description": "The database, without its password"})
    log_position = LongInteger("The position of the newest event")
    read_model_position = LongInteger("The position up to which events are folded")
    lag_events = LongInteger("Events that are not folded yet")
    rebuild_position = LongInteger(
        "The position of a rebuild of the read model; null without one", allow_none=True
    )
    set_aside = fields.Integer(
        metadata={"description": "Events that could not be folded, up to 100"}
    )
    lost_ends = fields.Integer(
        metadata={"description": "Lost ends of the log that no operator has acknowledged"}
    )
    tree_lag_events = LongInteger("Positions that the tree is behind the log")
    tree = fields.String(metadata={"description": "`growing`, or the reason why the tree stopped"})
    deadlines = fields.String(
        metadata={"description": "`watched`, or the reason why no job is given up at present"}
    )
