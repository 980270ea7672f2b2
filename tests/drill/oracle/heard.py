"""What Milepost heard of a life, and what it showed: its events, with the truth beside them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from domain.job.events import (
    AttemptCancelled,
    AttemptFailed,
    AttemptStarted,
    Fact,
    JobEvent,
    MachineStopped,
    Received,
)
from projections.views import instance as instances
from projections.views.instance import Instance
from tests.drill.model.truth import Life, Run, Word


class Moment(msgspec.Struct, frozen=True):
    """An event, the word that it records (None for other events), and the instance around it."""

    event: JobEvent
    word: Word | None
    before: Instance
    after: Instance


class Heard:
    """The words of each run that were recorded until now, and the orders that were obeyed.

    `ordered` has the attempts that an operator ended. `gone` has those of which an operator said
    that the machine is gone. `obeyed` means that any order had an effect.
    """

    def __init__(self, life: Life) -> None:
        self.life = life
        self.words: list[tuple[JobEvent, Word]] = []
        self.ordered = set[int]()
        self.gone = set[int]()
        self.obeyed = False
        self._by_number = {word.number: word for word in life.words}

    def moments(self, history: Sequence[JobEvent]) -> Iterator[Moment]:
        """Yield each event after its word has been heard."""
        instance = Instance(self.life.job_id)
        for event in history:
            before, instance = instance, instances.evolve(instance, event)
            word = None
            self._obey(event.fact)
            if isinstance(event.fact, Received) and (number := event.fact.extra.get("word")):
                word = self._by_number[number]
                self.words.append((event, word))
            yield Moment(event, word, before, instance)

    def _obey(self, fact: Fact) -> None:
        if isinstance(fact, AttemptFailed | AttemptCancelled):
            self.ordered.add(fact.attempt)
        if isinstance(fact, MachineStopped):
            self.gone.add(fact.attempt)
        by_retry = isinstance(fact, AttemptStarted) and fact.because == "retry"
        if by_retry or isinstance(fact, AttemptFailed | AttemptCancelled | MachineStopped):
            self.obeyed = True

    def all_of(self, history: Sequence[JobEvent]) -> None:
        """Hear a whole history."""
        for _ in self.moments(history):
            continue

    @property
    def is_faithful(self) -> bool:
        """True if every word but heartbeats was recorded once, in the order of sending."""
        recorded = [word.number for _, word in self.words if word.callback.type is None]
        sent = [word.number for word in self.life.words if word.callback.type is None]
        return recorded == sent

    @property
    def newest(self) -> Run | None:
        """The newest run of which a word said that it works."""
        return next((run for run in reversed(self.life.runs) if self.began(run)), None)

    def of(self, run: Run) -> list[tuple[JobEvent, Word]]:
        """Return the words of a run."""
        return [(event, word) for event, word in self.words if word.run == run.place]

    def began(self, run: Run) -> bool:
        """Tell whether a word said that the run works."""
        return any(word.is_begin for _, word in self.of(run))

    def end_of(self, run: Run) -> str | None:
        """Return the last word of a run, if it was heard: `running` or `failed`."""
        return next((w.callback.status for _, w in self.of(run) if w.is_end), None)

    def still_runs(self, run: Run) -> bool:
        """Tell whether a run ended `running`, and nobody said that its machine is gone."""
        if self.end_of(run) != "running" or self.is_removed(run):
            return False
        return not any(
            word.is_end and self.attempt_of(event) in self.gone for event, word in self.of(run)
        )

    def is_removed(self, run: Run) -> bool:
        """Tell whether a word said that the run's machine is gone."""
        removed = {w.callback.server_id for _, w in self.words if w.callback.status == "stopped"}
        return run.machine.id in removed

    @staticmethod
    def attempt_of(event: JobEvent) -> int:
        """Return the number of the attempt that a word was recorded in, 0 for none."""
        number: int | None = getattr(event.fact, "attempt", None)
        return 1 if number is None else number

    def machines_of(self, run: Run) -> set[str]:
        """Return the machines that the run's words named."""
        said = (word.callback for _, word in self.of(run))
        return {each.server_id for each in said if each.server_id and each.status != "stopped"}

    def ended_by_order(self, run: Run) -> bool:
        """Tell whether an operator ended an attempt that words of the run were recorded in."""
        return any(self.attempt_of(event) in self.ordered for event, _ in self.of(run))

    def names(self, run: Run, machine: str | None) -> bool:
        """Tell whether a word of the run named this machine as its own."""
        return machine in self.machines_of(run)
