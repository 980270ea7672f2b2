"""The whole text of an error of which a job's state keeps only the head and the tail.

Where one job is shown, its errors are shown whole; they are read from its events. Lists show what
the states keep.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, TypeVar

import msgspec
from eventsourcing.persistence import MapperDeserialisationError

from domain.job.events import StatusReported
from domain.job.long_text import MAX_KEPT, is_shortened, kept
from domain.job.runs.state import Runs
from domain.log.mapper import JobEventMapper, decoded
from domain.log.reading.contract import Log, pages_of
from projections.views.instance import Instance
from projections.views.timeline import Timeline

State = TypeVar("State", bound=Instance | Timeline)

AT_ONCE: Final = 1_000
"""How many events are looked at before earlier ones: an error is mostly near a job's end."""


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
        until = version
        while until > 0 and len(found) < len(wanted):
            after = max(0, until - AT_ONCE)
            for page in pages_of(self._log.history, job_id, after, until):
                long = [each for each in page if len(each.state) > MAX_KEPT]
                for _, event in decoded(long, self._mapper):
                    if isinstance(event, MapperDeserialisationError):
                        continue
                    fact = event.fact
                    if isinstance(fact, StatusReported) and fact.error:
                        shown = kept(fact.error)
                        if shown in wanted:
                            found[shown] = fact.error
            until = after
        return found


def _shortened(runs: Runs) -> set[str]:
    return {
        attempt.final.error
        for attempt in runs.attempts
        if attempt.final and attempt.final.error and is_shortened(attempt.final.error)
    }
