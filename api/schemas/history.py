"""The shapes of answers about the past: marshmallow schemas, from which OpenAPI is generated."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from api.schemas.answers import UiStepSchema
from projections.views.instance import INSTANCE_STATUSES


class SignerSchema(Schema):
    """Who signed a callback, and how."""

    scheme = fields.String(metadata={"description": "x-signature, x-hub-signature-256, …"})
    key_id = fields.String(allow_none=True, metadata={"description": "Names the secret"})


class StateSchema(Schema):
    """How a job stood after an event."""

    status = fields.String(validate=validate.OneOf(INSTANCE_STATUSES))
    current_step = fields.String(allow_none=True)
    failed_at_step = fields.String(allow_none=True)
    attempt = fields.Integer(metadata={"description": "The attempt that was under way"})
    steps = fields.List(fields.Nested(UiStepSchema))


class ChangeSchema(Schema):
    """A field that differs."""

    field = fields.String(metadata={"description": "Its name; steps.creating for a UI step"})
    before = fields.Raw(allow_none=True)
    after = fields.Raw(allow_none=True)


class EventSchema(Schema):
    """An event: what it said, who signed it, and what it changed."""

    job_id = fields.String()
    version = fields.Integer(metadata={"description": "Its number in its job"})
    position = fields.Integer(metadata={"description": "Its place in the whole log"})
    recorded_at = fields.AwareDateTime(
        allow_none=True, metadata={"description": "The server's clock"}
    )
    occurred_at = fields.AwareDateTime(
        allow_none=True, metadata={"description": "The sender's clock, if it said"}
    )
    kind = fields.String(metadata={"description": "The event's name"})
    attempt = fields.Integer(metadata={"description": "The attempt that it belongs to"})
    payload = fields.Dict(
        keys=fields.String(), metadata={"description": "What it said, unknown fields too"}
    )
    callback_id = fields.String(allow_none=True)
    signed_by = fields.Nested(
        SignerSchema, allow_none=True, metadata={"description": "null if Milepost decided it"}
    )
    digest = fields.String(
        allow_none=True, metadata={"description": "SHA-256 of the raw body, in hex"}
    )
    error = fields.String(
        allow_none=True, metadata={"description": "Why it could not be read or folded"}
    )
    state = fields.Nested(StateSchema)
    changed = fields.List(fields.Nested(ChangeSchema))


class EventPageSchema(Schema):
    """Events in order. A page can be empty and have a next one: see its Link header."""

    events = fields.List(fields.Nested(EventSchema))
    next_after = fields.Integer(metadata={"description": "Where to go on, at once or later"})


class PlaceSchema(Schema):
    """A moment of a job."""

    job_id = fields.String()
    version = fields.Integer()
    position = fields.Integer()
    recorded_at = fields.AwareDateTime(
        allow_none=True, metadata={"description": "When its last event was recorded"}
    )


class DifferenceSchema(Schema):
    """What differs between two moments."""

    class Meta:
        """`from` is no name in Python."""

        include = {  # noqa: RUF012
            "from": fields.Nested(PlaceSchema),
            "to": fields.Nested(PlaceSchema),
            "changed": fields.List(fields.Nested(ChangeSchema)),
        }
