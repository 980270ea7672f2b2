"""Projector, tree, reads and export go on after the bound of a read in bytes."""

from __future__ import annotations

import pytest

from domain.log.bounded import READ_BYTES
from domain.transfer.exporting import Export, Selection
from projections.chore import AT_ONCE
from projections.folding.job_fold import JobFold
from projections.projecting.stepper import Stepper
from projections.tree.grower import Grower
from tests.support.jobs.large_events import store_large
from tests.support.stores.deployment import Deployment


def test_a_job_with_large_events_is_read_right_before_it_is_projected(stores: Deployment) -> None:
    store_large(stores, *["one"] * 6)

    for _ in range(2):
        instance, timeline = stores.reader.instance("one"), stores.reader.timeline("one")
        assert instance is not None
        assert timeline is not None
        assert (instance.version, timeline.version) == (6, 6)
        stores.projector.catch_up()


def test_the_projector_the_tree_and_an_export_go_on_after_the_bound(stores: Deployment) -> None:
    store_large(stores, *["one", "two"] * 5)

    assert stores.projector.catch_up() == 10
    Grower(stores.tree).catch_up()
    assert stores.tree.head().size == 10
    export = Export(stores.milepost.store, stores.milepost.mapper, Selection(), stop=10)
    assert sum(len(events) for _, events in export.batches()) == 10


@pytest.mark.parametrize("size", [READ_BYTES - 100_000, READ_BYTES + 1])
def test_the_tree_grows_past_an_event_that_fills_a_read(stores: Deployment, size: int) -> None:
    store_large(stores, "one", "one", "one", size=size)

    grower = Grower(stores.tree)
    while grower.step() == AT_ONCE:
        pass

    assert stores.tree.head().size == 3


def two_jobs_at_once(made: Deployment, **bounds: int) -> Stepper:
    fold = JobFold(made.milepost.mapper, made.workflows)
    return Stepper(made.milepost.store, made.read_model, fold, jobs_at_once=2, **bounds)


def test_events_of_more_jobs_than_are_folded_at_once_are_folded_in_order(
    stores: Deployment,
) -> None:
    store_large(stores, "one", "two", "one", "three", "four", "one", "five", size=10)
    steps = two_jobs_at_once(stores)
    steps.begin()

    assert sum(iter(steps.step, 0)) == 7
    assert stores.read_model.position() == 7
    instance = stores.reader.instance("one")
    assert instance is not None
    assert instance.version == 3


def test_a_step_that_ends_within_a_full_read_does_not_call_the_read_the_last_one(
    stores: Deployment,
) -> None:
    """Else the projector would rest after each read of the events of many jobs."""
    store_large(stores, "one", "two", "three", "four", size=10)
    steps = two_jobs_at_once(stores, batch=3, batches=2)
    steps.begin()

    assert (steps.step(), steps.is_behind) == (3, True)
    assert (steps.step(), steps.is_behind) == (1, False)
