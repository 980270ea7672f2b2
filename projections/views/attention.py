"""What about a job needs somebody now, and from when on something may."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import groupby
from typing import Final

import msgspec

from domain.workflows.definition import Workflows
from projections.views.instance import Instance
from projections.views.reasons import KINDS, RANKS, Reason, and_more, watches

MOST_OF_A_KIND: Final = 20
"""A job shows at most this many reasons of one kind: it may have left 1,000 machines behind."""


class Candidate(msgspec.Struct, frozen=True):
    """A job that may need somebody: the place of its worst group, and the earliest time of any."""

    rank: int
    at: datetime


def attention(instance: Instance, workflows: Workflows, now: datetime) -> list[Reason]:
    """Return why the job needs somebody now, the worst first; nothing if it does not."""
    watched = watches(instance, workflows.recorded(instance.workflow))
    reasons = [watch.reason(now) for watch in watched if watch.applies_at <= now]
    return list(_bounded(sorted(reasons, key=_badness), now))


def _bounded(reasons: Iterable[Reason], now: datetime) -> Iterator[Reason]:
    """Yield the first reasons of each kind, and one that counts the others."""
    for _, group in groupby(reasons, key=lambda reason: reason.kind):
        alike = list(group)
        yield from alike[:MOST_OF_A_KIND]
        if others := alike[MOST_OF_A_KIND:]:
            yield and_more(others, now)


def next_attention(instance: Instance, workflows: Workflows, now: datetime) -> datetime | None:
    """Return when the next reason applies, if nothing is recorded until then; None for never."""
    watched = watches(instance, workflows.recorded(instance.workflow))
    times = (watch.applies_at for watch in watched)
    return min((time for time in times if time > now), default=None)


def needing(
    instances: Iterable[Instance], workflows: Workflows, now: datetime
) -> list[tuple[Instance, list[Reason]]]:
    """Return the jobs that need somebody now with their reasons, the worst job first."""
    found = [(instance, attention(instance, workflows, now)) for instance in instances]
    return sorted(
        ((instance, reasons) for instance, reasons in found if reasons),
        key=lambda each: _badness(each[1][0]),
    )


def _badness(reason: Reason) -> tuple[int, datetime]:
    """Return what reasons are sorted by: the worst kind first, then the longest."""
    return KINDS.index(reason.kind), reason.since


def candidate(instance: Instance, workflows: Workflows) -> Candidate | None:
    """Return from when on `attention` may have something to say; None for never."""
    watched = watches(instance, workflows.recorded(instance.workflow))
    if not watched:
        return None
    if len(watched) == 1:  # of almost every job in progress, and the row of every event asks
        return Candidate(RANKS[watched[0].group], watched[0].applies_at)
    worst = min(RANKS[watch.group] for watch in watched)
    return Candidate(worst, min(watch.applies_at for watch in watched))
