"""What really happened: the runs of a job, and every word that they sent."""

from __future__ import annotations

from typing import Literal

import msgspec

from domain.job.callback import Callback
from domain.job.runs.orders import Ordered

End = Literal["running", "failed", "killed"]
"""How a run ended. A `killed` run says no last word."""


class Machine(msgspec.Struct, frozen=True):
    """A machine that a run made, or went on with."""

    id: str

    @property
    def fields(self) -> dict[str, str]:
        """What `running` says of it."""
        tail = self.id.removeprefix("srv-")
        return {"server_id": self.id, "server_ip": f"ip-{tail}", "tailscale_ip": f"ts-{tail}"}


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One execution of the workflow. Times are seconds from the start of the shift.

    `place` counts the job's runs from 0 in the order in which they were dispatched. `from_step` is
    the first step that it takes: a re-run of the failed part only begins later, and sends no first
    `provisioning` (`announces`). It reaches the steps before the number `steps`. A run that fails
    before its first step may not know its own name (`knows_itself`). It may begin by removing the
    machine of an earlier run (`removes`).
    """

    place: int
    id: str
    attempt: int
    begins: float
    ends: float
    end: End
    machine: Machine
    names_machine: bool = True
    announces: bool = True
    from_step: int = 0
    steps: int = 4
    beats: bool = True
    knows_itself: bool = True
    removes: Machine | None = None


class Word(msgspec.Struct, frozen=True, kw_only=True):
    """One callback of a run: when it was sent, and when it arrives, each time that it does."""

    number: int
    run: int
    sent: float
    callback: Callback
    arrives: tuple[float, ...] = ()

    @property
    def is_begin(self) -> bool:
        """True for a word that the run works: `provisioning`, a step, or `running`."""
        return self.callback.status in ("provisioning", "running")

    @property
    def is_end(self) -> bool:
        """True for the run's last word."""
        return self.callback.status in ("running", "failed")


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator orders about the job, and when. Milepost may refuse it."""

    at: float
    command: Ordered


class Life(msgspec.Struct, frozen=True, kw_only=True):
    """A job: its runs in the order of dispatch, all words that they sent, and what people ordered.

    `registered` is when the job was registered, None for never. `kind`, `sender` and `way` are the
    names of what it was made from.
    """

    seed: str
    kind: str
    sender: str
    way: str
    runs: tuple[Run, ...]
    words: tuple[Word, ...]
    registered: float | None
    orders: tuple[Order, ...] = ()

    @property
    def job_id(self) -> str:
        """The id of the job."""
        return f"job/{self.seed}"

    @property
    def last_arrival(self) -> float:
        """When the last word arrives; the registration, if none does."""
        times = [time for word in self.words for time in word.arrives]
        return max([*times, self.registered or 0.0])
