"""What a person may know of a job that he looks for: a part of an id, a machine, a run, an error.

No index has these words. So the newest jobs are read, a bounded number of them on each page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from domain.job.attempt.state import Attempt
from projections.views.instance import Instance

MOST_READ: Final = 1_000
"""How many jobs one page looks through."""
MOST_CHARACTERS: Final = 4 * 2**20
"""After how many characters of stored documents one page looks no further. A job with many attempts
may have 72,000: to read 1,000 of such jobs at once added 244 MiB to a process."""
READ_AT_ONCE: Final = 50
"""How many jobs are read, and are in memory, at a time."""
Fits = Callable[[Instance], bool]


def mentioning(text: str) -> Fits:
    """Return a test whether a job mentions a text, in letters of either case."""
    wanted = text.casefold()
    return lambda job: any(wanted in word.casefold() for word in _words(job))


def ended(outcome: str) -> Fits:
    """Return a test whether a job has ended in this way."""
    return lambda job: job.attempt.outcome == outcome


def _words(job: Instance) -> Iterator[str]:
    yield job.job_id
    yield from (name for name in (job.agent_id, job.user_id, job.workflow) if name)
    for attempt in job.runs.attempts:
        yield from _of_attempt(attempt)


def _of_attempt(attempt: Attempt) -> Iterator[str]:
    reported = (attempt.run_id, attempt.server_id, attempt.server_ip, attempt.tailscale_ip)
    yield from (each.value for each in reported if each)
    yield from attempt.earlier_run_ids
    yield from (machine.server_id for machine in attempt.machines)
    if attempt.final:
        final = attempt.final
        yield from (text for text in (final.error, final.failed_step) if text)
