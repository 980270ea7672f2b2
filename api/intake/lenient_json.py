"""Lenient JSON: what a sender's tools did to an object is undone or replaced, and said.

A body that `strict_json` accepts is returned as it is. Otherwise:

1. Decode the bytes: UTF-8, UTF-16 or UTF-32, with any number of byte order marks. A byte that is
   no UTF-8 becomes a lone surrogate, so that it stays recognisable until it is stored.
2. Parse. Values that are nested too deep become their own JSON text before. Numbers beyond 64 bits
   and NaN become the text that was sent. Raw control characters in texts are accepted. Of a name
   that is given twice the last value counts.
3. If that fails, mend what a shell's template leaves, and parse again: a backslash that begins no
   escape, as in a path of Windows, stands for itself; a comma before a closing bracket is left out;
   a value that is missing after a colon, because a variable was empty, is null.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from api.errors import InvalidJSON
from api.intake.strict_json import COMPRESSED, MAX_DEPTH, MAX_DIGITS, is_too_deep, parse_object

MARK: Final = "\ufeff"
REPLACEMENT: Final = "\ufffd"
# The possessive quantifiers and the end of the text keep the search linear.
TOKEN: Final = re.compile(r'"[^"\\]*+(?:\\.?[^"\\]*+)*+(?:"|\Z)|[\[\]{}]', re.DOTALL)
SLIP: Final = re.compile(
    r'"[^"\\]*+(?:\\.?[^"\\]*+)*+(?:"|\Z)|,(?=\s*+[\]}])|:(?=\s*+[,}])', re.DOTALL
)
"""A text, a comma that is too much, or a colon without a value."""
SLIPS: Final = "backslashes, commas or missing values"
ESCAPE: Final = re.compile(r'\\(["\\/bfnrt]|u[0-9a-fA-F]{4})?')
UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")


class Body(NamedTuple):
    """An object, and what was odd about its bytes, in words.

    `contradictory` are the names that the object itself gives twice with different values. If
    `is_broken`, some texts have characters that no database stores; see `storable`.
    """

    fields: dict[str, Any]
    oddities: tuple[str, ...] = ()
    contradictory: frozenset[str] = frozenset()
    is_broken: bool = False


def read_object(raw: bytes) -> Body:
    """Return the JSON object in `raw`; raise `InvalidJSON` for anything that is none."""
    try:
        return Body(parse_object(raw))
    except InvalidJSON:
        return _Reading(raw).body()


def storable(value: Any) -> Any:
    """Return the value with a replacement character for each one that no database stores."""
    if isinstance(value, str):
        return UNSTORABLE.sub(REPLACEMENT, value)
    if isinstance(value, dict):
        return {storable(name): storable(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [storable(inner) for inner in value]
    return value


class _Reading:
    """One body that is being read. Each kind of oddity is noted once."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._oddities: dict[str, None] = {}
        self._twice: set[str] = set()

    def body(self) -> Body:
        text = self._decoded()
        try:
            fields = self._parsed(text)
            fits = not is_too_deep(fields)
        except RecursionError:  # Python's own stack is smaller still
            fits = False
        if not fits:
            text = self._flattened(text)
            fields = self._parsed(text)
        is_broken = UNSTORABLE.search(text) is not None or (
            "\\u" in text and storable(fields) != fields
        )
        if is_broken:
            self._note("characters that no database stores were replaced")
        return Body(fields, tuple(self._oddities), frozenset(self._twice), is_broken)

    def _note(self, oddity: str) -> None:
        self._oddities[oddity] = None

    def _decoded(self) -> str:
        encoding = json.detect_encoding(self._raw)
        if encoding.startswith("utf-8"):
            text = self._raw.decode("utf-8", "surrogateescape")
            if UNSTORABLE.search(text.replace("\0", "")):
                self._note("the body is not UTF-8")
        else:
            self._note(f"the body is {encoding.upper()}, not UTF-8")
            text = self._raw.decode(encoding, "replace")
        if text.startswith(MARK):
            self._note("the body begins with a byte order mark")
        if text.endswith("\0"):  # programs in C may send the NUL that ends a text
            self._note("the body ends with NUL characters")
        return text.lstrip(MARK).rstrip("\0")

    def _parsed(self, text: str) -> dict[str, Any]:
        try:
            try:
                parsed = self._mostly_strict(text)
            except json.JSONDecodeError:
                mended = SLIP.sub(_mended, text)
                if mended == text:
                    raise
                parsed = self._mostly_strict(mended)
                self._note(f"the body is not JSON; {SLIPS} in it were mended")
        except json.JSONDecodeError as error:
            if not text.strip():
                raise InvalidJSON("The body is empty.") from None
            for beginning, form in COMPRESSED:
                if self._raw.startswith(beginning):
                    raise InvalidJSON(
                        f"The body is compressed with {form}; Milepost reads plain bodies only."
                    ) from None
            where = f"line {error.lineno} column {error.colno}"
            raise InvalidJSON(f"The body is not JSON: {error.msg} at {where}.") from None
        if isinstance(parsed, str) and parsed.lstrip().startswith("{"):
            raise InvalidJSON("The body is a text that holds an object: it was encoded twice.")
        if not isinstance(parsed, dict):
            raise InvalidJSON("The body is JSON, but not an object.")
        return parsed

    def _mostly_strict(self, text: str) -> Any:
        try:
            return self._decode(text, strict=True)
        except json.JSONDecodeError as error:
            if not error.msg.startswith("Invalid control character"):
                raise
            parsed = self._decode(text, strict=False)
            self._note("a text has a raw control character, such as a line break")
            return parsed

    def _decode(self, text: str, *, strict: bool) -> Any:
        return json.JSONDecoder(
            object_pairs_hook=self._object,
            parse_int=self._number(_whole),
            parse_float=self._number(_fraction),
            parse_constant=self._number(lambda _: None),
            strict=strict,
        ).decode(text)

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        # The object itself ends last, so its names stay in `_twice`.
        self._twice = set()
        members: dict[str, Any] = {}
        for name, value in pairs:
            if name in members and not _same(members[name], value):
                self._twice.add(name)
            members[name] = value
        if self._twice:
            self._note("a name is given twice in one object; its last value counts")
        return members

    def _number(self, read: Callable[[str], float | None]) -> Callable[[str], float | str]:
        def number(digits: str) -> float | str:
            value = read(digits)
            if value is None:
                self._note("a number does not fit into 64 bits and is stored as text")
                return digits
            return value

        return number

    def _flattened(self, text: str) -> str:
        parts: list[str] = []
        depth = done = begin = 0
        for token in TOKEN.finditer(text):
            match token[0]:
                case "{" | "[":
                    depth += 1
                    if depth == MAX_DEPTH + 1:
                        begin = token.start()
                case "}" | "]":
                    if depth == MAX_DEPTH + 1:
                        inner = json.dumps(text[begin : token.end()], ensure_ascii=False)
                        parts += text[done:begin], inner
                        done = token.end()
                    depth -= 1
        if depth > 0:
            raise InvalidJSON("The body is not JSON: not all brackets are closed.")
        self._note(f"a value nested deeper than {MAX_DEPTH} levels is stored as its JSON text")
        return "".join([*parts, text[done:]])


def _mended(slip: re.Match[str]) -> str:
    if slip[0] == ":":
        return ": null"
    return "" if slip[0] == "," else ESCAPE.sub(_escape, slip[0])


def _escape(backslash: re.Match[str]) -> str:
    return backslash[0] if backslash[1] else "\\\\"


def _whole(digits: str) -> int | None:
    if len(digits) <= MAX_DIGITS and -(2**63) <= (value := int(digits)) < 2**64:
        return value
    return None


def _fraction(digits: str) -> float | None:
    if len(digits) <= MAX_DIGITS and math.isfinite(value := float(digits)):
        return value
    return None


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and one == other
