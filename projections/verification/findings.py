"""Findings: what verifying found to be other than it must be, and exactly where."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol, TypeAlias

import msgspec

Kind = Literal[
    "changed",  # an event that is not what was hashed
    "missing",  # an event that was hashed and is not in the log
    "added",  # an event that is not in the tree although the tree goes on after it
    "tile",  # a tile that is not what its leaves, or the nodes below it, make it
    "head",  # the tree's size or last position
    "checkpoint",  # a signed checkpoint that the log does not extend
    "version",  # a job's versions, which are to count from 1
    "order",  # a job's positions, which are to grow with its versions
    "unreadable",  # an event that this release cannot read, and was not set aside
    "row",  # a row of the read model that is not what its job's events come to
    "snapshot",  # a job's state as of one of its versions that is not what its events come to
    "aside",  # an event that was set aside and can be folded, or is not there
    "key",  # a unique name that does not point at the event that took it
]


class Placed(Protocol):
    """Whatever has a place: an event, or what says something of one."""

    @property
    def position(self) -> int | None:
        """Its number in the log."""

    @property
    def job_id(self) -> str:
        """Its job."""

    @property
    def version(self) -> int:
        """Its number in the job."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is not as it must be. What does not apply, or nobody can tell, is None."""

    kind: Kind
    position: int | None = None
    job_id: str | None = None
    version: int | None = None
    expected: str
    found: str

    @classmethod
    def at(cls, event: Placed, kind: Kind, *, expected: str, found: str) -> Finding:
        """Say what is wrong with an event."""
        return cls(
            kind=kind,
            position=event.position,
            job_id=event.job_id,
            version=event.version,
            expected=expected,
            found=found,
        )

    def __str__(self) -> str:
        """Tell it in one line."""
        places = (
            ("position", self.position),
            ("job", None if self.job_id is None else repr(self.job_id)),
            ("version", self.version),
        )
        where = ", ".join(f"{name} {value}" for name, value in places if value is not None)
        told = f"{self.kind:10} {where}: " if where else f"{self.kind:10} "
        return f"{told}expected {self.expected}; found {self.found}"


Report: TypeAlias = Callable[[Finding], None]
"""Takes a finding, as soon as it is sure."""


def shortened(value: object) -> str:
    """Return what a finding shows of a value."""
    text = value if isinstance(value, str) else msgspec.json.encode(value, enc_hook=str).decode()
    return text if len(text) <= 200 else f"{text[:199]}…"
