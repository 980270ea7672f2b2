"""The commands of a workflow: record its callback, or keep one that was refused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec

from domain.errors import CallbackConflict, NotItsJob
from domain.job.callback import Callback, RefusedCallback
from domain.job.commands.contract import Command, Decision
from domain.job.hints import about_callback, about_redelivery, about_step
from domain.job.keys.key import Key, callback_key, unsigned_callback_key
from domain.job.provisioning_job import Outcome, ProvisioningJob
from domain.workflows.definition import Workflows


class RecordCallback(msgspec.Struct, frozen=True, gc=False):
    """Record a callback. A redelivery gets the first receipt.

    A redelivery has the id and the body of an earlier callback. Another body under a signed id is
    refused; under an unsigned id it is a callback of its own. `workflows` are the loaded
    definitions; without them no step is known.
    """

    callback: Callback
    workflows: Workflows | None = None

    @property
    def job_id(self) -> str:
        return self.callback.job_id

    @property
    def names(self) -> tuple[str, ...]:
        callback = self.callback
        if not callback.callback_id:
            return ()
        name = callback_key(callback.job_id, callback.callback_id)
        if callback.id_signed is not False:
            return (name,)
        # Older releases named such a callback by its id alone.
        by_body = unsigned_callback_key(callback.job_id, callback.callback_id, callback.digest)
        return by_body, name

    def decide(self, job: ProvisioningJob, keys: Mapping[str, Key], now: datetime) -> Decision:
        mandate = self.callback.mandate
        if mandate is not None and not mandate.covers(job.id, job.queued):
            raise NotItsJob
        for name in self.names:
            if earlier := keys.get(name):
                if earlier.digest == (self.callback.digest or ""):
                    said = about_redelivery(job, self.callback, now)
                    return Decision(Outcome(job), earlier, self._hints(job, said))
                if self.callback.id_signed is not False:
                    raise CallbackConflict
        outcome = job.report(self.callback, now, self._known_steps(job))
        odd = about_callback(job, self.callback, outcome)
        return Decision(outcome, warning=self._hints(job, odd))

    def _hints(self, job: ProvisioningJob, first: Iterable[str]) -> str | None:
        return "; ".join((*first, *about_step(self.callback, self._known_steps(job)))) or None

    def _known_steps(self, job: ProvisioningJob) -> Mapping[str, int]:
        if self.workflows is None:
            return {}
        return self.workflows.ranks(job.queued.workflow if job.queued else None)


class KeepRefusal(msgspec.Struct, frozen=True, gc=False):
    """Keep a refused callback in its job's log, also of a job that is not registered.

    Keep nothing in the log of a job that its sender may not report on.
    """

    refused: RefusedCallback
    names: tuple[str, ...] = ()

    @property
    def job_id(self) -> str:
        return self.refused.job_id

    def decide(self, job: ProvisioningJob, keys: Mapping[str, Key], now: datetime) -> Decision:
        mandate = self.refused.mandate
        if mandate is not None and not mandate.covers(job.id, job.queued):
            return Decision(Outcome(job))
        return Decision(job.keep_refusal(self.refused, now))


def bytes_of(command: Command) -> int:
    """Return how many bytes the body has that a command stores; 0 for a command without one."""
    if isinstance(command, RecordCallback):
        return command.callback.size
    return len(command.refused.body) if isinstance(command, KeepRefusal) else 0
