"""Findings: the events, rows and hashes that are not as they must be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol, TypeAlias

import msgspec

Kind = Literal[
    "changed",  # an event that is not as it was hashed
    "missing",  # an event that was hashed and is not in the log
    "added",  # an event that is not in the tree, although the tree has later events
    "tile",  # a tile that does not match its leaves, or the tiles below it
    "head",  # the tree's size or last position
    "checkpoint",  # a signed checkpoint that the log does not extend
    "version",  # a job's versions that do not count from 1 without gaps
    "order",  # a job's positions that do not grow with its versions
    "unreadable",  # an event that this release cannot read, and that is not set aside
    "row",  # a row of the read model that differs from the fold of its job's events
    "snapshot",  # a snapshot that differs from the fold of its job's events
    "aside",  # a set-aside event that this release can fold, or that is not in the log
    "key",  # a unique name that does not point at the event that uses it
]


class Placed(Protocol):
    """An event, or a record about one: both name the event's position, job and version."""

    @property
    def position(self) -> int | None:
        """The event's number in the log."""

    @property
    def job_id(self) -> str:
        """The event's job."""

    @property
    def version(self) -> int:
        """The event's number in its job."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is not as it must be. A field is None if it is unknown or does not apply."""

    kind: Kind
    position: int | None = None
    job_id: str | None = None
    version: int | None = None
    expected: str
    found: str

    @classmethod
    def at(cls, event: Placed, kind: Kind, *, expected: str, found: str) -> Finding:
        """Return the finding about an event."""
        return cls(
            kind=kind,
            position=event.position,
            job_id=event.job_id,
            version=event.version,
            expected=expected,
            found=found,
        )

    def __str__(self) -> str:
        """Return the finding as one line."""
        parts = (
            ("position", self.position),
            ("job", None if self.job_id is None else repr(self.job_id)),
            ("version", self.version),
        )
        where = ", ".join(f"{name} {value}" for name, value in parts if value is not None)
        beginning = f"{self.kind:10} {where}: " if where else f"{self.kind:10} "
        return f"{beginning}expected {self.expected}; found {self.found}"


Report: TypeAlias = Callable[[Finding], None]
"""A function that gets each finding, once it is certain."""


def shortened(value: object) -> str:
    """Return a value as a text of at most 200 characters."""
    text = value if isinstance(value, str) else msgspec.json.encode(value, enc_hook=str).decode()
    return text if len(text) <= 200 else f"{text[:199]}…"
