"""The library's own test cases of a recorder pass for every store of Milepost.

Left out is what the library's own recorders do not do either: SQLite has no subscriptions.
`AggregateRecorderTestCase` wants an insert to return nothing; every application recorder, those of
the library included, returns positions.
"""

from __future__ import annotations

from threading import enumerate as enumerate_threads
from typing import Any
from uuid import uuid4

import pytest
from eventsourcing.persistence import ApplicationRecorder, InfrastructureFactory
from eventsourcing.tests.persistence import (
    ApplicationRecorderTestCase,
    NonInterleavingNotificationIDsBaseCase,
)

from tests.support.stores.deployment import store_env

CASES = (
    "test_insert_select",
    "test_performance",
    "test_concurrent_no_conflicts",
    "test_concurrent_throughput",
)
SUBSCRIBING = "optional_test_insert_subscribe"
READING = "read_continuously"
"""The function that the readers of a case run, which their names have."""


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def recorder(request: pytest.FixtureRequest) -> Any:
    """A recorder of Milepost's own factory, on an empty store."""
    factory = InfrastructureFactory.construct(store_env(request.param, request))
    yield factory.application_recorder()
    # A case tells its readers to stop, and waits for none of them. SQLite does not survive a
    # connection that is closed while another thread reads by it.
    for thread in enumerate_threads():
        if READING in thread.name:
            thread.join()
    factory.close()


class OnStore:
    """Runs the library's cases on one recorder; all ids of Milepost are texts."""

    recorder: ApplicationRecorder

    def create_recorder(self) -> ApplicationRecorder:
        """Return the recorder of the test."""
        return self.recorder

    def new_originator_id(self) -> str:
        """Return an id that no other aggregate has."""
        return uuid4().hex


class Recorders(OnStore, ApplicationRecorderTestCase[ApplicationRecorder]):
    """The library's cases of an application's recorder."""

    __test__ = False


class Interleaving(OnStore, NonInterleavingNotificationIDsBaseCase):
    """The library's case of positions that become visible in order."""

    __test__ = False


@pytest.mark.parametrize("case", CASES)
def test_a_store_passes_the_librarys_case(recorder: ApplicationRecorder, case: str) -> None:
    run(Recorders(case), recorder)


def test_positions_become_visible_in_order(recorder: ApplicationRecorder) -> None:
    run(Interleaving("test"), recorder)


def test_a_store_can_be_subscribed_to(recorder: ApplicationRecorder) -> None:
    """The library has subscriptions in memory and on PostgreSQL."""
    if "SQLite" in type(recorder).__name__:
        with pytest.raises(NotImplementedError):
            recorder.subscribe()
    else:
        run(Recorders(SUBSCRIBING), recorder)


def run(case: Any, recorder: ApplicationRecorder) -> None:
    case.recorder = recorder
    case.debug()
