"""The order of a job's runs: whose is newer, by what their callbacks say and by their clocks."""

from __future__ import annotations

from datetime import datetime

from domain.job.attempt.state import Attempt

MAX_DIGITS = 200
"""Longer ids are no numbers: an id that a callback gave is never longer."""


def in_order(every: list[Attempt]) -> tuple[Attempt, ...]:
    """Return attempts with the oldest run's first; attempts that cannot be compared stay."""
    placed: list[Attempt] = []
    for attempt in every:
        place = len(placed)
        while place and _is_newer(placed[place - 1], attempt):
            place -= 1
        placed.insert(place, attempt)
    return tuple(placed)


def sort_key(attempt: Attempt) -> tuple[object, ...]:
    """Return all of an attempt that its place in the order depends on and that may change."""
    run_id = attempt.run_id.value if attempt.run_id else None
    return run_id, attempt.run_attempt, _opening_clock(attempt)


def _is_newer(one: Attempt, other: Attempt) -> bool:
    """Tell whether `one`'s run is newer: by run_attempt, ids, clocks, or the order of opening."""
    if one.before == other.number or other.before == one.number:
        return other.before == one.number
    opened_later = one.number > other.number
    if one.replaced or other.replaced:
        return opened_later
    if one.run_id and other.run_id:
        if one.run_id.value == other.run_id.value:
            counts = one.run_attempt, other.run_attempt
            if counts[0] is not None and counts[1] is not None and counts[0] != counts[1]:
                return counts[0] > counts[1]
            return opened_later
        later = one if opened_later else other
        if later.wanted or later.reruns or (later.run_attempt and later.run_attempt > 1):
            return opened_later
        ids = one.run_id.value, other.run_id.value
        if all(each.isascii() and each.isdigit() and len(each) <= MAX_DIGITS for each in ids):
            return int(ids[0]) > int(ids[1])
    clocks = _opening_clock(one), _opening_clock(other)
    if clocks[0] and clocks[1] and clocks[0] != clocks[1]:
        return clocks[0] > clocks[1]
    return opened_later


def _opening_clock(attempt: Attempt) -> datetime | None:
    claimed = attempt.claim.occurred_at if attempt.claim else None
    # A heartbeat may claim an attempt that had failed before. But an attempt whose opening is known
    # did not fail before it: the clock of the failure is slow.
    failed = attempt.failure_at if attempt.opened_at is None else None
    known = (attempt.opened_at, claimed, failed)
    return min((time for time in known if time), default=None)
