"""The steps of a rebuild, and its rows as they are stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from projections.comparing.rows import RowDifference
from projections.folding.job_fold import JobFold
from projections.read_model.contract import SHAPE
from projections.read_model.tables import VIEWS
from projections.rebuilding.comparison import Comparison
from projections.rebuilding.contract import Shadow
from projections.rebuilding.first_pass import FirstPass
from projections.rebuilding.rebuild import Rebuild
from projections.verification.inspection.contract import StoredRow
from tests.support.jobs.rows import JOBS
from tests.support.projectors.projecting import projector
from tests.support.stores.deployment import Deployment

NEWER = str(int(SHAPE) + 1)


def folded_beside(made: Deployment) -> None:
    """Do what a rebuild does until it swaps."""
    made.shadow.begin()
    FirstPass(made.shadow, JobFold(made.milepost.mapper, made.workflows)).catch_up(lambda *_: None)
    projector(made, made.shadow.read_model).catch_up()
    made.shadow.make_indexes()


def rebuild_over(made: Deployment, shadow: object = None, **options: Any) -> Rebuild:
    """Return a rebuild over this deployment, or over another shadow."""
    return Rebuild(
        made.milepost.store,
        made.read_model,
        cast("Shadow", shadow or made.shadow),
        made.inspection,
        made.milepost.mapper,
        made.workflows,
        **options,
    )


def rows(made: Deployment) -> Mapping[str, Mapping[str, StoredRow]]:
    """Return the rows of each view, by job."""
    return {view: made.inspection.rows(view, JOBS) for view in VIEWS}


def differences(comparison: Comparison) -> list[RowDifference]:
    """Return every difference between the rows and the events."""
    return [difference for _, found in comparison.with_events() for difference in found]
