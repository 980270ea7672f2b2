"""Strict JSON: a body that two parsers could understand differently is refused."""

from __future__ import annotations

import json
import math
import re
from codecs import BOM_UTF8
from typing import Any, Final

from api.errors import InvalidJSON

MAX_DEPTH = 32
MAX_DIGITS = 24
"""No number of 64 bits needs more characters: -2.2250738585072014e-308 has as many."""
COMPRESSED: Final = ((b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"))
"""How a compressed body begins. None of these bytes begin a text of JSON."""
FORM: Final = re.compile(rb"\s*+[\w.%-]++=")
"""How the body of an HTML form begins, which `curl -d name=value` sends, too."""


def parse_object(raw: bytes) -> dict[str, Any]:
    """Return the JSON object in `raw`.

    Raises `InvalidJSON` for anything that is not one JSON object in UTF-8 (RFC 8259), and for
    duplicate names, NaN and infinities, numbers beyond 64 bits, NUL characters, lone surrogates,
    and nesting deeper than 32 levels.
    """
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        fault = f"The body is not UTF-8: byte {error.start} is {error.reason}."
        raise InvalidJSON(_other_form(raw) or fault) from None
    try:
        parsed = _decoder.decode(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno} column {error.colno}"
        fault = f"The body is not JSON: {error.msg} at {where}."
        raise InvalidJSON(_other_form(raw) or fault) from None
    except RecursionError:
        raise InvalidJSON(f"The body is nested deeper than {MAX_DEPTH} levels.") from None
    if not isinstance(parsed, dict):
        raise InvalidJSON("The body is JSON, but not an object.")
    if "\\u" in text:
        _refuse_unstorable(parsed)
    # Most bodies are flat; looking for brackets in the text is faster than walking the object.
    if ("[" in text or text.count("{") > 1) and is_too_deep(parsed):
        raise InvalidJSON(f"The body is nested deeper than {MAX_DEPTH} levels.")
    return parsed


def _other_form(raw: bytes) -> str | None:
    """Return what bytes that are no JSON in UTF-8 seem to be instead, if that can be told."""
    for beginning, form in COMPRESSED:
        if raw.startswith(beginning):
            return f"The body is compressed with {form}; Milepost reads plain bodies only."
    if raw.startswith(BOM_UTF8):
        return "The body begins with a byte order mark; leave it out."
    encoding = json.detect_encoding(raw)
    if encoding != "utf-8":
        return f"The body is {encoding.upper()}, not UTF-8."
    if not raw.strip():
        return "The body is empty."
    return "The body is a form, not JSON." if FORM.match(raw) else None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise InvalidJSON(f"The body names {_first_repeated(pairs)[:80]!r} twice in one object.")
    return members


def _first_repeated(pairs: list[tuple[str, Any]]) -> str:
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            return name
        seen.add(name)
    raise AssertionError("all names differ")


def _integer(digits: str) -> int:
    if len(digits) <= MAX_DIGITS and -(2**63) <= (value := int(digits)) < 2**64:
        return value
    raise InvalidJSON("The body has a number that does not fit into 64 bits.")


def _float(digits: str) -> float:
    if len(digits) <= MAX_DIGITS and math.isfinite(value := float(digits)):
        return value
    raise InvalidJSON("The body has a number that does not fit into 64 bits.")


def _constant(name: str) -> float:
    raise InvalidJSON(f"The body is not JSON: {name} is not a JSON number.")


_decoder = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_float, parse_constant=_constant
)


def _refuse_unstorable(value: Any) -> None:
    pending = [value]
    while pending:
        value = pending.pop()
        if isinstance(value, str):
            if "\0" in value:
                raise InvalidJSON("The body has a NUL character, which the database cannot store.")
            if any("\ud800" <= character <= "\udfff" for character in value):
                raise InvalidJSON(
                    "The body has half of a surrogate pair, which is not a character."
                )
        elif isinstance(value, dict):
            pending += value.keys()
            pending += value.values()
        elif isinstance(value, list):
            pending += value


def is_too_deep(fields: dict[str, Any]) -> bool:
    """Tell whether values are nested deeper than `MAX_DEPTH` levels, the object itself included."""
    level: list[Any] = [fields]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, (dict, list))
        ]
        if not level:
            return False
    return True
