"""Schemas of queries about the past (marshmallow), from which OpenAPI is generated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from marshmallow import EXCLUDE, RAISE, Schema, ValidationError, fields, validate, validates_schema

from api.schemas.fields import Listed, LongInteger, Name, When
from api.schemas.times import asked_time
from domain.job.events import CATALOGUE
from domain.log.reading.contract import NEWEST
from projections.reading.time_travel import PointInHistory
from projections.views.instance import INSTANCE_STATUSES

AT_MOST_NEWEST: Final = validate.Range(0, NEWEST)
MAX_NAMED: Final = 100
"""How many jobs and agents one stream may name."""
TIME: Final = {"type": "string", "format": "date-time"}


class HistoryQuerySchema(Schema):
    """A selection of events."""

    class Meta:
        """A misspelt filter must not show everything."""

        unknown = RAISE

    after = LongInteger("`next_after` of the page before", load_default=0, validate=AT_MOST_NEWEST)
    limit = fields.Integer(
        load_default=50,
        validate=validate.Range(1, 500),
        metadata={
            "description": "The most events to return. A page that has read 1 MiB of stored events "
            "ends before, and has a next page"
        },
    )
    kinds = Listed(
        fields.String(validate=validate.OneOf(CATALOGUE, error="Unknown; known are {choices}.")),
        data_key="kind",
        metadata={
            "description": "Only these kinds; repeat the parameter, or separate them by commas"
        },
    )
    since = When(metadata={"description": "Only events recorded at this time or later", **TIME})
    until = When(
        through=True,
        metadata={"description": "Only events recorded at this time or earlier", **TIME},
    )
    attempt = LongInteger("Only events of this attempt, from 1", validate=validate.Range(1, NEWEST))


class StreamQuerySchema(Schema):
    """Where a stream goes on."""

    class Meta:
        """A misspelt position must not begin with the present."""

        unknown = RAISE

    after = LongInteger(
        "The last position that you have seen; the header Last-Event-ID goes before it",
        validate=AT_MOST_NEWEST,
    )


class AllStreamQuerySchema(StreamQuerySchema):
    """Where a stream of all jobs goes on, and which jobs it has."""

    job_ids = fields.List(
        Name("A job's id"),
        data_key="job_id",
        metadata={"description": "Only this job; repeat the parameter for several"},
    )
    agent_ids = fields.List(
        Name("An agent's id"),
        data_key="agent_id",
        metadata={
            "description": "Only jobs of this agent; repeat the parameter for several. With "
            "`job_id`, these jobs and those; 100 ids in all"
        },
    )
    user_id = Name("Only jobs of this user")
    status = fields.String(
        validate=validate.OneOf(INSTANCE_STATUSES),
        metadata={"description": "Only events after which the job has this status"},
    )

    @validates_schema(skip_on_field_errors=True)
    def _few(self, query: Mapping[str, Any], **_: Any) -> None:
        if len(query.get("job_ids", ())) + len(query.get("agent_ids", ())) > MAX_NAMED:
            raise ValidationError(f"More than {MAX_NAMED} ids.", field_name="job_id")


class BadgeQuerySchema(Schema):
    """What a badge says. The route ignores other parameters: some pages add one against caches."""

    class Meta:
        """A page that shows an image cannot show what is wrong with its URL."""

        unknown = EXCLUDE

    label = fields.String(
        metadata={
            "description": "The left text in place of the id; empty for none. It is cut to 60 "
            "characters"
        }
    )


class PlaceField(fields.Field[PointInHistory]):
    """A version, or a time as in `at`. A whole number of up to 18 digits is a version."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> PointInHistory:
        if value.isascii() and value.isdigit() and len(value) < 19:
            return PointInHistory(version=int(value))
        try:
            return PointInHistory(at=asked_time(value).last)
        except ValueError:
            raise ValidationError(
                "Neither a version nor a time like 2026-03-02T14:03:00Z."
            ) from None


class PlaceQuerySchema(Schema):
    """A version or time to show; the present without any."""

    class Meta:
        """A misspelt parameter must not show the present."""

        unknown = RAISE

    version = LongInteger("The state after the event of this version", validate=AT_MOST_NEWEST)
    at = When(
        through=True,
        metadata={
            "description": "The state at this time, as RFC 3339 or as in `occurred_at`; at the end "
            "of the second or of the fraction that is written",
            **TIME,
        },
    )

    @validates_schema(skip_on_field_errors=True)
    def _one_question(self, query: Mapping[str, Any], **_: Any) -> None:
        if len(query.keys() & {"version", "at", "start"}) > 1:
            raise ValidationError("Only one of version, at, and from with to.")


class ChangesQuerySchema(Schema):
    """Two versions or times to compare."""

    class Meta:
        """A misspelt parameter must not compare with the present."""

        unknown = RAISE

    start = PlaceField(
        data_key="from",
        required=True,
        metadata={
            "description": "The changes since this version or time",
            "type": "string",
            "example": "1",
        },
    )
    end = PlaceField(
        data_key="to",
        metadata={
            "description": "… until this version or time; the present if left out",
            "type": "string",
        },
    )


class OlderPlaceQuerySchema(PlaceQuerySchema):
    """A version or time to show, or two to compare, as before the comparison had its own route.

    The document has no word of it: no client can be generated for a route of two answers.
    """

    start = PlaceField(data_key="from")
    end = PlaceField(data_key="to")

    @validates_schema(skip_on_field_errors=True)
    def _two_ends(self, query: Mapping[str, Any], **_: Any) -> None:
        if "end" in query and "start" not in query:
            raise ValidationError("Needs from.", field_name="to")
