"""The whole text of an error of which a job's state keeps only the head and the tail.

Where one job is shown, its errors are shown whole; they are read from its newest events. An error
that is not among these stays as the state keeps it, and says so itself. Lists show what the states
keep.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final, TypeVar

import msgspec
from eventsourcing.persistence import MapperDeserialisationError

from domain.job.events import StatusReported
from domain.job.long_text import MAX_IN_STATE, is_shortened, shortened
from domain.job.runs.state import Runs
from domain.log.bounded import READ_BYTES
from domain.log.mapper import JobEventMapper, decoded
from domain.log.reading.contract import PAGE, Log
from domain.log.stored import Stored
from projections.views.instance import Instance
from projections.views.timeline import Timeline

State = TypeVar("State", bound=Instance | Timeline)

FIRST_READ: Final = 10
"""How many events are read at first: an error is mostly near a job's end."""
READ_GROWTH: Final = 10
"""How many times as many earlier events each further read returns, up to a page."""
MOST_EVENTS: Final = 5_000
"""How many events are read about: an error may be farther back, or be one that only looks as if it
had been shortened. So one look at a job costs the same whatever its sender does."""
MOST_BYTES: Final = 8 * 2**20
"""How many bytes of stored events are read about."""
MOST_WHOLE: Final = 2**20
"""How many characters of whole errors are shown about; an earlier attempt's error stays short."""


def has_shortened_errors(state: Instance | Timeline) -> bool:
    """Tell whether an error of the job is longer than its state keeps it."""
    return bool(_shortened(state.runs))


class WholeErrors:
    """Finds whole errors in the log."""

    def __init__(self, log: Log, mapper: JobEventMapper) -> None:
        self._log = log
        self._mapper = mapper

    def of(self, state: State) -> State:
        """Return the state with its errors whole, as far as the log has them."""
        wanted = _shortened(state.runs)
        if not wanted:
            return state
        whole = self._found(state.job_id, state.version, wanted)
        attempts = tuple(
            msgspec.structs.replace(
                attempt,
                final=msgspec.structs.replace(
                    attempt.final, error=whole.get(attempt.final.error or "", attempt.final.error)
                ),
            )
            if attempt.final
            else attempt
            for attempt in state.runs.attempts
        )
        return msgspec.structs.replace(
            state, runs=msgspec.structs.replace(state.runs, attempts=attempts)
        )

    def _found(self, job_id: str, version: int, wanted: Collection[str]) -> dict[str, str]:
        """Map each wanted text to the whole one; look at the newest events first."""
        found: dict[str, str] = {}
        until, most, left = version, FIRST_READ, MOST_BYTES
        while until > max(0, version - MOST_EVENTS) and len(found) < len(wanted) and left > 0:
            after = max(0, until - most)
            page = self._log.history(job_id, after, until, most)
            size = sum(len(each.state) for each in page)
            left -= size
            if size >= READ_BYTES and page[-1].version < until:
                # The read ended before the newest events: these come first, so read fewer.
                most = (len(page) + 1) // 2
                continue
            self._take(page, wanted, found)
            if _is_enough(found):
                break
            until = after
            # The next read is expected to end at `until`, not at its bound in bytes.
            most = min(READ_GROWTH * most, PAGE, max(1, READ_BYTES * len(page) // max(1, size)))
        return found

    def _take(self, page: Sequence[Stored], wanted: Collection[str], to: dict[str, str]) -> None:
        long = [each for each in page if len(each.state) > MAX_IN_STATE]
        for _, event in reversed(decoded(long, self._mapper)):
            if isinstance(event, MapperDeserialisationError) or _is_enough(to):
                continue
            fact = event.fact
            if isinstance(fact, StatusReported) and fact.error:
                shown = shortened(fact.error)
                if shown in wanted:
                    to.setdefault(shown, fact.error)


def _is_enough(found: Mapping[str, str]) -> bool:
    return sum(map(len, found.values())) > MOST_WHOLE


def _shortened(runs: Runs) -> set[str]:
    return {
        attempt.final.error
        for attempt in runs.attempts
        if attempt.final and attempt.final.error and is_shortened(attempt.final.error)
    }
