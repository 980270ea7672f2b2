"""Workflow definitions: which steps there are, and what a person sees of them.

A definition is a TOML file; `domain/workflows/` ships two. It must not change under its name and
version: jobs record both and keep the steps that they ran with.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Literal

import msgspec

from domain.errors import WorkflowNotFound
from domain.workflows.digest import digest_of

MAX_RETRIES = 3
"""How often a job may be retried if its definition does not say (seed contract, "Jobs")."""

UiStatus = Literal["completed", "active", "pending", "error"]


class UiStep(msgspec.Struct, frozen=True):
    """A stage of the workflow as a person sees it."""

    id: str
    label: str


class Step(msgspec.Struct, frozen=True):
    """A workflow step and the UI step that is active once the job has reached it.

    `deadline_seconds` is how long the job may be at this step; None means without limit.
    """

    id: str
    activates: str
    aliases: tuple[str, ...] = ()
    deadline_seconds: int | None = None


class Deadlines(msgspec.Struct, frozen=True):
    """How many seconds pass before a job is given up; None means never.

    `start_seconds` is the time that a registered job waits for the first callback of its workflow,
    `heartbeat_seconds` the longest silence (seed contract, "Jobs"), `attempt_seconds` the time of
    the whole attempt from its claim.
    """

    start_seconds: int = 3600
    heartbeat_seconds: int = 900
    attempt_seconds: int | None = None


class Workflow(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """A definition. `steps` are in the order in which a job reaches them.

    `waiting` is the UI step that is active while the job is queued, `started` while it is
    provisioning and no known step is reached, `blame` the one at fault when a job fails so early;
    a cancelled job stays at its step.
    `max_retries` is how often an operator may retry a job; callbacks of further runs are taken.
    """

    name: str
    version: int
    default: bool = False
    description: str = ""
    max_retries: int = MAX_RETRIES
    waiting: str
    started: str
    blame: str
    ui_steps: tuple[UiStep, ...]
    steps: tuple[Step, ...] = ()
    deadlines: Deadlines = Deadlines()

    # Every fold and every read asks for these, so they are computed once for a definition.
    @cached_property
    def ref(self) -> str:
        """`name@version`, as recorded with a job."""
        return f"{self.name}@{self.version}"

    @cached_property
    def digest(self) -> str:
        """What the definition says, in 16 hex digits, as recorded with a job; see `digest_of`."""
        return digest_of(self)

    @cached_property
    def ranks(self) -> Mapping[str, int]:
        """Map every step name, old names too, to its place in the order, from 0."""
        return {
            name: rank for rank, step in enumerate(self.steps) for name in (step.id, *step.aliases)
        }

    def furthest(self, steps: Iterable[str]) -> str | None:
        """Return the known step that is furthest in the order; of old and new names, the last."""
        ranks = self.ranks
        furthest, highest = None, -1
        for name in steps:
            rank = ranks.get(name)
            if rank is None or rank < highest:
                continue
            if furthest is None or rank > highest or name > furthest:
                furthest, highest = name, rank
        return furthest

    @cached_property
    def step_deadlines(self) -> Mapping[str, int]:
        """Map every step name with a deadline, old names too, to its seconds."""
        return {
            name: step.deadline_seconds
            for step in self.steps
            if step.deadline_seconds
            for name in (step.id, *step.aliases)
        }

    @cached_property
    def activated_by(self) -> Mapping[str, str]:
        """Map every step name, old names too, to the UI step that it activates."""
        return {name: step.activates for step in self.steps for name in (step.id, *step.aliases)}


class Workflows:
    """The loaded definitions: immutable, looked up by `name@version` or by name."""

    def __init__(self, workflows: Iterable[Workflow], default: str) -> None:
        self._by_ref = {workflow.ref: workflow for workflow in workflows}
        self._newest: dict[str, Workflow] = {}
        for workflow in sorted(self._by_ref.values(), key=lambda each: each.version):
            self._newest[workflow.name] = workflow
        self.default = self.find(default)
        self.fingerprint = "\n".join(map(repr, (*self, self.default.ref)))
        """A string that changes whenever any definition does."""

    def __iter__(self) -> Iterator[Workflow]:
        return iter(sorted(self._by_ref.values(), key=lambda each: (each.name, each.version)))

    def find(self, ref: str | None) -> Workflow:
        """Return the definition by `name@version`, or the newest by `name`; None is the default.

        Raises `WorkflowNotFound`.
        """
        if ref is None:
            return self.default
        found = self._by_ref.get(ref) or self._newest.get(ref)
        if found is None:
            raise WorkflowNotFound(f"There is no workflow {ref!r}; known are {self.known}.")
        return found

    def recorded(self, ref: str | None) -> Workflow:
        """Return the definition that a job recorded, or the default if it is gone."""
        return self._by_ref.get(ref or "", self.default)

    def deadlines(self, ref: str | None) -> Deadlines:
        """Return the deadlines of the definition that a job recorded, as `recorded` finds it."""
        return self._by_ref.get(ref or "", self.default).deadlines

    def missing(self, ref: str | None) -> str | None:
        """Say what to do if the definition that a job recorded is not loaded; None if it is."""
        if ref is None or ref in self._by_ref:
            return None
        return f"Workflow {ref} is not known here; set MILEPOST_WORKFLOWS to the server's folder."

    def ranks(self, ref: str | None) -> Mapping[str, int]:
        """Return the order of steps of the definition that a job recorded."""
        return self.recorded(ref).ranks

    @property
    def known(self) -> str:
        """The names, for a message."""
        return ", ".join(sorted(self._by_ref))
