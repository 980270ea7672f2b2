"""Schemas of answers about the past (marshmallow), from which OpenAPI is generated."""

from __future__ import annotations

from typing import get_args

from marshmallow import fields, validate

from api.schemas.answers import AnswerSchema, OutcomeField
from api.schemas.fields import LongInteger
from api.schemas.jobs import UiStepSchema
from projections.reading.actor import ActorKind
from projections.views.instance import INSTANCE_STATUSES


class SignerSchema(AnswerSchema):
    """The signer of a callback: scheme and key."""

    scheme = fields.String(metadata={"description": "x-signature, x-hub-signature-256, …"})
    key_id = fields.String(
        allow_none=True,
        metadata={
            "description": "Eight hex digits that identify the secret, after job-key: for the "
            "key of a job, and after the name of a named sender"
        },
    )


class ActorSchema(AnswerSchema):
    """Who caused an event, and how Milepost knows it."""

    kind = fields.String(
        validate=validate.OneOf(get_args(ActorKind)),
        metadata={
            "description": "signature: a callback; token: a request with a token; name: the "
            "command line, or an event of a release that recorded no token ids; milepost: Milepost"
        },
    )
    id = fields.String(
        allow_none=True,
        metadata={
            "description": "Scheme and key of a signature, or a token's id (admin: the admin token)"
        },
    )
    name = fields.String(
        allow_none=True, metadata={"description": "Any text that somebody chose; proves nothing"}
    )


class StateSchema(AnswerSchema):
    """The state of a job after an event."""

    status = fields.String(validate=validate.OneOf(INSTANCE_STATUSES))
    outcome = OutcomeField()
    current_step = fields.String(allow_none=True)
    failed_at_step = fields.String(allow_none=True)
    attempt = fields.Integer(metadata={"description": "The attempt in progress"})
    steps = fields.List(fields.Nested(UiStepSchema))


class ChangeSchema(AnswerSchema):
    """A field that differs."""

    field = fields.String(
        metadata={"description": "The field's name; steps.creating for a UI step"}
    )
    before = fields.Raw(allow_none=True)
    after = fields.Raw(allow_none=True)


class EventSchema(AnswerSchema):
    """An event with its payload, signer and changes."""

    job_id = fields.String()
    version = LongInteger("The event's number in its job, from 1")
    position = LongInteger("The event's position in the whole log")
    recorded_at = fields.AwareDateTime(
        allow_none=True, metadata={"description": "The time by the server's clock"}
    )
    occurred_at = fields.AwareDateTime(
        allow_none=True,
        metadata={"description": "The time by the sender's clock, if the sender gave it"},
    )
    kind = fields.String(metadata={"description": "The event's name"})
    attempt = fields.Integer(metadata={"description": "The attempt that the event belongs to"})
    payload = fields.Dict(
        keys=fields.String(),
        metadata={"description": "The fields that the sender gave, unknown fields too"},
    )
    callback_id = fields.String(allow_none=True)
    id_signed = fields.Boolean(
        allow_none=True,
        metadata={
            "description": "Whether the signature covers callback_id; null without an id, and for "
            "events of releases that did not record it"
        },
    )
    signed_by = fields.Nested(
        SignerSchema,
        allow_none=True,
        metadata={"description": "null if Milepost decided the event"},
    )
    actor = fields.Nested(
        ActorSchema,
        allow_none=True,
        metadata={"description": "null for an unreadable event and an unsigned callback"},
    )
    digest = fields.String(
        allow_none=True, metadata={"description": "SHA-256 of the raw body, in hex"}
    )
    error = fields.String(
        allow_none=True,
        metadata={"description": "The reason why the event could not be read or folded"},
    )
    state = fields.Nested(StateSchema)
    changed = fields.List(fields.Nested(ChangeSchema))


class EventPageSchema(AnswerSchema):
    """Events in order. An empty page may have a next page: its Link header names it."""

    events = fields.List(fields.Nested(EventSchema))
    next_after = LongInteger("The value of `after` for the next request")


class PlaceSchema(AnswerSchema):
    """A job at one of its versions."""

    job_id = fields.String()
    version = LongInteger()
    position = LongInteger()
    recorded_at = fields.AwareDateTime(
        allow_none=True, metadata={"description": "The time when the last event was recorded"}
    )


class DifferenceSchema(AnswerSchema):
    """The differences between two states."""

    class Meta(AnswerSchema.Meta):
        """`from` is no name in Python."""

        include = {  # noqa: RUF012
            "from": fields.Nested(PlaceSchema),
            "to": fields.Nested(PlaceSchema),
            "changed": fields.List(fields.Nested(ChangeSchema)),
        }
