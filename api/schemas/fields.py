"""Fields that several schemas have: ids and names, times, lists in a query."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from marshmallow import ValidationError, fields, validate

from api.schemas.ids import MAX_ID, MAX_REASON, OUT_OF_PATHS, is_printable
from api.schemas.times import asked_time


def _printable(value: str) -> None:
    if not is_printable(value):
        raise ValidationError("Has a control character.")


def _printable_lines(value: str) -> None:
    for line in value.splitlines():
        _printable(line)


class Name(fields.String):
    """A name or id: 1 to 200 characters without control characters."""

    def __init__(self, description: str, **options: Any) -> None:
        bounds = validate.Length(min=1, max=MAX_ID)
        super().__init__(
            validate=[bounds, _printable], metadata={"description": description}, **options
        )


def _stays_in_a_path(value: str) -> None:
    if value in OUT_OF_PATHS:
        raise ValidationError(f"{value} cannot be an id: clients take it out of a URL's path.")


class PathName(Name):
    """The id of a new job or agent, which will be a part of paths: a name, but not `.` or `..`."""

    def __init__(self, description: str, **options: Any) -> None:
        super().__init__(f"{description}; not `.` or `..`", **options)
        self.validators.append(_stays_in_a_path)


class Reason(fields.String):
    """A sentence or some lines: at most 2,000 characters, without other control characters."""

    def __init__(self, description: str) -> None:
        super().__init__(
            validate=[validate.Length(max=MAX_REASON), _printable_lines],
            metadata={"description": description},
        )


class LongInteger(fields.Integer):
    """A position, a version or a size: a whole number of up to 64 bits."""

    def __init__(self, description: str = "", **options: Any) -> None:
        described = {"description": description} if description else {}
        super().__init__(metadata={"format": "int64", **described}, **options)


class When(fields.Field[datetime]):
    """A time as in RFC 3339, or as senders write it: see `asked_time`.

    The field returns its first microsecond; with `through`, its last one.
    """

    def __init__(self, *, through: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self._through = through

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> datetime:
        try:
            asked = asked_time(value)
        except ValueError:
            raise ValidationError("Not a time like 2026-03-02T14:03:00Z.") from None
        return asked.last if self._through else asked.first


MAX_WORDS: Final = 100
"""How many words a list in a query has at most: 10,000 wrong ones took half a second to name."""


class Listed(fields.List[Any]):
    """At most 100 words of a query: a repeated parameter, separated by commas, or both."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **options: Any) -> list[Any]:
        if len(value) + sum(text.count(",") for text in value) > MAX_WORDS:
            raise ValidationError(f"More than {MAX_WORDS} words.")
        words = [word.strip() for text in value for word in text.split(",")]
        return super()._deserialize(words, attr, data, **options)


class RunId(fields.Field[str]):
    """The CI run's id, a string or a whole number; the field returns text."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> str:
        if isinstance(value, bool) or not isinstance(value, (str, int)):
            raise ValidationError("Not a string or whole number.")
        if len(str(value)) > MAX_ID:
            raise ValidationError(f"Longer than maximum length {MAX_ID}.")
        _printable(str(value))
        return str(value)
