"""Looking into a server's database, without the server."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from api.config import from_environment
from api.wiring import Services, open_services
from domain.events import JobEvent, Received
from projections.instance import Instance, evolve
from tests.e2e.load import Load
from tests.e2e.server import Server


@contextmanager
def database_of(server: Server) -> Iterator[Services]:
    """Open the server's database as the command line does."""
    services = open_services(from_environment(server.env))
    try:
        yield services
    finally:
        services.close()


def whole_log(services: Services) -> list[JobEvent]:
    """Return every event in order of position."""
    stored = services.milepost.store.select_notifications(None, 10_000_000)
    return [services.milepost.mapper.to_domain_event(each) for each in stored]


def assert_nothing_lost_nothing_doubled(server: Server, load: Load) -> None:
    """Compare the log with what was answered, and the read model with the log."""
    with database_of(server) as services:
        log = whole_log(services)
        by_job = defaultdict[str, list[JobEvent]](list)
        found: dict[str, JobEvent] = {}
        for event in log:
            by_job[event.originator_id].append(event)
            assert isinstance(event.fact, Received)
            assert event.fact.callback_id is not None
            assert event.fact.callback_id not in found, "a callback is stored twice"
            found[event.fact.callback_id] = event
        assert [event.position for event in log] == sorted({event.position for event in log})
        for events in by_job.values():
            versions = [event.originator_version for event in events]
            assert versions == list(range(1, len(events) + 1))
        for callback_id, receipt in load.receipts.items():
            event = found[callback_id]
            told: tuple[Any, ...] = (receipt["job_id"], receipt["version"], receipt["position"])
            assert (event.originator_id, event.originator_version, event.position) == told
        assert found.keys() <= load.receipts.keys() | load.unknown.keys()

        # First as it was left, by row and unfolded tail; then with everything folded.
        expected = {job_id: folded(job_id, events) for job_id, events in by_job.items()}
        for job_id in expected:
            assert services.reader.instance(job_id) == expected[job_id]
        services.projector().catch_up()
        for job_id in expected:
            assert services.reader.instance(job_id) == expected[job_id]
            assert not services.read_model.sight("instances", job_id).tail


def folded(job_id: str, events: list[JobEvent]) -> Instance:
    """Fold a job's events from the first one."""
    instance = Instance(job_id)
    for event in events:
        instance = evolve(instance, event)
    return instance
