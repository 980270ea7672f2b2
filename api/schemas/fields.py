"""Ids and names, wherever they come in: in bodies, queries, headers, paths and commands."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, Final

from marshmallow import ValidationError, fields, validate

MAX_ID = 200
PLAIN_ID = re.compile(rf"[^\x00-\x1f\x7f]{{1,{MAX_ID}}}")
RFC_3339: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(\.\d{1,9})?(?:[Zz]|([-+ ])(\d\d:\d\d))", re.ASCII
)
ANY_TEXT = re.compile(r"(?s:.*)")


def is_printable(value: str) -> bool:
    """Tell whether the text has no control character."""
    return not any(character < " " or character == "\x7f" for character in value)


def _printable(value: str) -> None:
    if not is_printable(value):
        raise ValidationError("Has a control character.")


class Name(fields.String):
    """A name or id: 1 to 200 characters, none of them a control character."""

    def __init__(self, description: str, **options: Any) -> None:
        bounds = validate.Length(min=1, max=MAX_ID)
        super().__init__(
            validate=[bounds, _printable], metadata={"description": description}, **options
        )


def moment(text: str) -> datetime:
    """Return the time that a text says, in UTC; raise `ValueError` unless it is as in RFC 3339.

    Of digits after the microseconds none counts.
    """
    said = RFC_3339.fullmatch(text)
    if said is None:
        raise ValueError(text)
    day, time, fraction, sign, offset = said.groups()
    # A + that nobody has encoded comes out of a query as a space.
    zone = f"{'-' if sign == '-' else '+'}{offset}" if offset else "+00:00"
    written = f"{day}T{time}{(fraction or '')[:7]}{zone}"
    try:
        return datetime.fromisoformat(written).astimezone(UTC)
    except OverflowError as error:
        raise ValueError(text) from error


class When(fields.Field[datetime]):
    """A time as in RFC 3339, with its offset from UTC."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> datetime:
        try:
            return moment(value)
        except ValueError:
            raise ValidationError("Not a time like 2026-03-02T14:03:00Z.") from None


class Listed(fields.List[Any]):
    """Words of a query: the parameter several times, or with commas between, or both."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **options: Any) -> list[Any]:
        words = [word.strip() for text in value for word in text.split(",")]
        return super()._deserialize(words, attr, data, **options)


class RunId(fields.Field[str]):
    """The CI run's id, a string or a whole number; kept as text."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> str:
        if isinstance(value, bool) or not isinstance(value, (str, int)):
            raise ValidationError("Not a string or whole number.")
        if len(str(value)) > MAX_ID:
            raise ValidationError(f"Longer than maximum length {MAX_ID}.")
        _printable(str(value))
        return str(value)


def plain(field: fields.Field[Any]) -> re.Pattern[str] | None:
    """Return what texts the field takes as they are; None if only the field can tell."""
    if isinstance(field, (Name, RunId)):
        return PLAIN_ID
    if type(field) is not fields.String:
        return None
    match field.validators:
        case []:
            return ANY_TEXT
        case [validate.OneOf(choices=choices)]:
            return re.compile("|".join(re.escape(choice) for choice in choices))
        case _:
            return None
