"""The workflow definitions that jobs were registered with, as they were then.

A definition must not change under its name and version: jobs record both, and their pages would
then show steps that they never had. So the digest of a definition is noted when the first job is
registered with it.
"""

from __future__ import annotations

from collections.abc import Iterable

from domain.log.store import translated
from domain.workflows.definition import Workflow
from projections.read_model.contract import ReadModel


class UsedDefinitions:
    """Notes definitions, and finds those that were changed since. May raise `StoreUnavailable`."""

    def __init__(self, read_model: ReadModel) -> None:
        self._read_model = read_model
        self._noted: set[str] = set()

    def note(self, workflow: Workflow) -> None:
        """Note that a job is about to be registered with this definition."""
        if workflow.ref in self._noted:
            return
        with translated():
            if self._read_model.note(_name(workflow)) is None:
                self._read_model.keep_note(_name(workflow), workflow.digest)
        self._noted.add(workflow.ref)

    def changed(self, workflows: Iterable[Workflow]) -> list[str]:
        """Return `name@version` of the definitions that are not what they were when noted."""
        with translated():
            noted = {each.ref: self._read_model.note(_name(each)) for each in workflows}
        return [each.ref for each in workflows if noted[each.ref] not in (None, each.digest)]


def warning_of(ref: str) -> str:
    """Say what it means that this definition was changed, and what to do."""
    return (
        f"workflow {ref} was changed under its name and version, and jobs that ran with it are now "
        "shown by the changed definition: restore it, and give the change a new version"
    )


def _name(workflow: Workflow) -> str:
    return f"workflow {workflow.ref}"
