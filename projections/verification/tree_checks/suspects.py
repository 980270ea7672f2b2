"""Events and leaves that do not match, with a guess at what was changed.

A hash does not reveal its event. But the hash of a guess can be compared with it: an event at
another position, under another topic, or with the job and version that a history lacks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

from domain.job.events import CATALOGUE
from domain.log.stored import Stored
from projections.verification.findings import Finding, Report

TRIED = 64
"""The most leaves and events that are compared for a guess; others are reported without one."""
PARTS = ("state", "topic", "version", "job_id")
NAMES = {"job_id": "job"}


class Leaf(NamedTuple):
    """A leaf of the tree: its index, and the position and hash of its event."""

    number: int
    position: int
    hash: bytes


class Suspects:
    """Collects leaves and events that do not match, and reports them together.

    `formerly` uses them after the report, when a check finds that a job lacks a version.
    """

    def __init__(self, report: Report) -> None:
        self._report = report
        self._unmatched: list[tuple[Leaf, Stored | None]] = []
        self._added: list[Stored] = []
        self._missing: list[int] = []
        self._reported: list[tuple[Leaf, Stored | None]] = []

    def add(self, leaf: Leaf | None, event: Stored | None) -> None:
        """Collect a leaf and the event at its position, or one without the other."""
        if leaf is None:
            assert event is not None  # a call has a leaf, an event or both
            if len(self._added) < TRIED:
                self._added.append(event)
            else:
                self._report(_added(event, ""))
        elif len(self._unmatched) < TRIED:
            self._unmatched.append((leaf, event))
        else:
            self._report(_changed(leaf, event) if event else _missing(leaf))

    def report_all(self) -> None:
        """Report all that was collected, each with the best guess."""
        events = [event for _, event in self._unmatched if event] + self._added
        for leaf, own in self._unmatched:
            finding = _explained(leaf, own, events)
            if own is None and finding is None:
                self._missing.append(leaf.position)
            self._report(finding or (_changed(leaf, own) if own else _missing(leaf)))
        for event in self._added:
            self._report(_added(event, self._formerly_at(event)))
        self._reported += self._unmatched
        self._unmatched, self._added = [], []

    def _formerly_at(self, event: Stored) -> str:
        for leaf, own in self._unmatched:
            if own is None and event._replace(position=leaf.position).leaf == leaf.hash:
                return f", which was hashed at position {leaf.position}"
        return ""

    def missing_between(self, first: int, last: int) -> Sequence[int]:
        """Return the positions of missing events after `first` and before `last`."""
        return [position for position in self._missing if first < position < last]

    def formerly(self, job_id: str, version: int) -> Stored | None:
        """Return the present event that was this version of the job when it was hashed."""
        for leaf, own in self._reported:
            if own:
                was = own._replace(job_id=job_id, version=version)
                if was.leaf == leaf.hash:
                    return own
        return None


def _explained(leaf: Leaf, own: Stored | None, events: Sequence[Stored]) -> Finding | None:
    if own is None:
        return _moved(leaf, events)
    for topic in CATALOGUE:
        if own._replace(topic=topic).leaf == leaf.hash:
            expected, found = f"the topic {topic}", f"the topic {own.topic}"
            return Finding.at(own, "changed", expected=expected, found=found)
    for other in events:
        if other.position == leaf.position:
            continue
        for parts in _choices():
            borrowed = {part: getattr(other, part) for part in parts}
            if own._replace(**borrowed).leaf == leaf.hash:
                names = ", ".join(NAMES.get(part, part) for part in parts)
                expected = f"the {names} of what is at position {other.position} now"
                found = f"{own.topic} with the hash {own.leaf.hex()}"
                return Finding.at(own, "changed", expected=expected, found=found)
    return None


def _moved(leaf: Leaf, events: Sequence[Stored]) -> Finding | None:
    for event in events:
        if event.leaf == leaf.hash:
            expected = f"leaf {leaf.number} to be at the position of its event"
            found = f"position {leaf.position} in its tile"
            return Finding.at(event, "tile", expected=expected, found=found)
        if event._replace(position=leaf.position).leaf == leaf.hash:
            return Finding.at(
                event._replace(position=leaf.position),
                "missing",
                expected=f"{event.topic}, as it was hashed (leaf {leaf.number})",
                found=f"none; it is at position {event.position} now",
            )
    return None


def _choices() -> Iterator[tuple[str, ...]]:
    for count in range(1, len(PARTS) + 1):
        yield from combinations(PARTS, count)


def _changed(leaf: Leaf, own: Stored) -> Finding:
    expected = f"the event with the hash {leaf.hash.hex()} (leaf {leaf.number})"
    found = f"{own.topic} with the hash {own.leaf.hex()}"
    return Finding.at(own, "changed", expected=expected, found=found)


def _missing(leaf: Leaf) -> Finding:
    expected = f"the event with the hash {leaf.hash.hex()} (leaf {leaf.number})"
    return Finding(kind="missing", position=leaf.position, expected=expected, found="none")


def _added(event: Stored, where: str) -> Finding:
    expected, found = "none, since none was hashed here", f"{event.topic}{where}"
    return Finding.at(event, "added", expected=expected, found=found)
