"""Lives that a test writes by hand, word for word, instead of a seed."""

from __future__ import annotations

from typing import Any

from domain.job.callback import Callback
from domain.job.events import Fact, JobEvent
from domain.job.provisioning_job import Outcome, ProvisioningJob
from tests.drill.model.senders import time_at
from tests.drill.model.truth import Life, Machine, Run, Word
from tests.drill.oracle.claims import judge


class Written:
    """A job with the runs 101, 102 and 103, and what Milepost recorded of it.

    All times are seconds from the start.
    """

    def __init__(self, sender: str) -> None:
        self.history: list[JobEvent] = []
        self._sender = sender
        self._job = ProvisioningJob("job")
        self._words: list[Word] = []

    def hear(self, run: int, arrives: float, *, sent: float | None = None, **said: Any) -> None:
        """Record a word of the run with this place, which arrives at this time."""
        number = len(self._words) + 1
        callback = Callback(job_id="job", extra={"word": number}, **said)
        moment = arrives if sent is None else sent
        word = Word(number=number, run=run, sent=moment, callback=callback, arrives=(arrives,))
        self._words.append(word)
        self._take(self._job.report(callback, time_at(arrives)))

    def time_out(self, at: float) -> None:
        """Let the watch look at this time."""
        self._take(self._job.time_out(time_at(at)))

    def decide(self, fact: Fact) -> None:
        """Add a decision, be it an operator's or one that Milepost would not have made here."""
        self._take(Outcome(self._job).then(fact))

    def forget(self, kind: type[Fact]) -> None:
        """Leave out a decision, as if Milepost had not made it."""
        self.history = [event for event in self.history if not isinstance(event.fact, kind)]

    def broken(self) -> set[str]:
        """Return the claims that the oracle says are broken."""
        life = Life(
            seed="0.0/0",
            kind="is dispatched twice",
            sender=self._sender,
            way="late",
            runs=tuple(_run(place) for place in range(3)),
            words=tuple(self._words),
            registered=None,
        )
        return {violation.claim for violation in judge(life, self.history, away=())}

    def _take(self, outcome: Outcome) -> None:
        self._job = outcome.job
        self.history.extend(outcome.events)


def _run(place: int) -> Run:
    return Run(
        place=place,
        id=str(101 + place),
        attempt=1,
        begins=0,
        ends=5000,
        end="killed",
        machine=Machine("srv-0"),
    )
