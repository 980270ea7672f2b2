"""Words that age: the parts of a sentence, some of which change with time alone.

A page lets them tick, and renders no sentence again. An answer has the sentence as of its time.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TypeAlias

import msgspec


class Age(msgspec.Struct, frozen=True):
    """How long ago a time is."""

    since: datetime


class Left(msgspec.Struct, frozen=True):
    """How long it is until a time."""

    until: datetime


class Command(msgspec.Struct, frozen=True):
    """A command for a shell."""

    line: str


Part: TypeAlias = str | Age | Left | Command
Words: TypeAlias = Sequence[Part]


def sentence(words: Words, now: datetime) -> str:
    """Return the words as they are at a time."""
    return "".join(_text(part, now) for part in words)


def _text(part: Part, now: datetime) -> str:
    match part:
        case Age(since):
            return lasted((now - since).total_seconds())
        case Left(until):
            return lasted((until - now).total_seconds())
        case Command(line):
            return line
        case _:
            return part


def lasted(seconds: float) -> str:
    """Return a duration in its two largest units, in whole seconds as a clock ticks."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 86_400:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86_400} d {whole % 86_400 // 3600} h"
