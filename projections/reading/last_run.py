"""The last run of a workflow: its newest job, as far as somebody may see it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Final

from domain.workflows.definition import Workflows
from projections.read_model.filters import JobFilter
from projections.reading.reader import Reader
from projections.views.instance import Instance

MOST_VERSIONS: Final = 20
"""So many versions of a workflow are looked at, the newest first."""
MOST_OWN: Final = 100
"""Among so many of a user's newest jobs the last run is looked for."""


def last_run(
    workflow: str, reader: Reader, workflows: Workflows, user_id: str | None = None
) -> Instance | None:
    """Return the newest job of a workflow (a name, or `name@version`); None without one.

    With `user_id`, the newest among the user's `MOST_OWN` newest jobs. Raises `NotRebuiltYet` and
    `StoreUnavailable`.
    """
    refs = refs_of(workflow, workflows)
    if user_id is not None:
        own = islice(
            reader.measured_instances(JobFilter(user_id=user_id, limit=MOST_OWN)), MOST_OWN
        )
        last = next((job for job, _ in own if (job.workflow or "") in refs), None)
        return reader.instance(last.job_id) if last else None
    runs = [run for ref in refs if (run := reader.last_run(ref))]
    return max(runs, key=lambda run: run.first_position, default=None)


def refs_of(workflow: str, workflows: Workflows) -> Sequence[str]:
    """Return what jobs record of a workflow: of a name, each version; empty for the default."""
    versions = [each.ref for each in reversed(list(workflows)) if each.name == workflow]
    refs = versions[:MOST_VERSIONS] or [workflow]
    return [*refs, ""] if workflows.default.ref in refs else refs
