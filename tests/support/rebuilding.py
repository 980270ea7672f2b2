"""The steps of a rebuild, and its rows as they are stored."""

from __future__ import annotations

from collections.abc import Mapping

from projections.folding.job_fold import JobFold
from projections.read_model.contract import InstanceRow, Row
from projections.rebuilding.comparison import PROJECTIONS, Comparison, Difference
from projections.rebuilding.first_pass import Past
from tests.support.deployment import Deployment
from tests.support.projecting import projector
from tests.support.rows import JOBS

NEWER = "2"


def folded_beside(made: Deployment) -> None:
    """Do what a rebuild does until it swaps."""
    made.shadow.begin()
    Past(made.shadow, JobFold(made.milepost.mapper, made.workflows)).catch_up(lambda *_: None)
    projector(made, made.shadow.read_model).catch_up()
    made.shadow.settle()


def rows(made: Deployment) -> Mapping[str, Mapping[str, Row | InstanceRow]]:
    """Return the rows of each view, by job."""
    with made.shadow.moment() as moment:
        return {view: moment.rows(view, JOBS) for view in PROJECTIONS}


def differences(comparison: Comparison) -> list[Difference]:
    """Return every difference between the rows and the events."""
    return [difference for _, found in comparison.with_events() for difference in found]
