"""Looking into a server's database, without the server."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import reduce
from typing import Any, Protocol

from api.settings.config import from_environment
from api.wiring import Services, open_services
from domain.job.events import JobEvent, MetadataReported, Received, StatusReported
from projections.views import instance, timeline
from projections.views.instance import Instance
from projections.views.timeline import Timeline
from tests.support.processes.server import Server


class Heard(Protocol):
    """What senders heard: receipts by callback id, and the callbacks that have none."""

    @property
    def receipts(self) -> Mapping[str, Any]:
        """The receipts."""

    @property
    def unknown(self) -> Mapping[str, object]:
        """The callbacks that may be stored or not."""


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
    log: list[JobEvent] = []
    # A read is bounded in bytes.
    while stored := services.milepost.store.events(log[-1].position if log else 0, 10_000_000):
        log += [services.milepost.mapper.read(each) for each in stored]
    return log


def assert_nothing_lost_nothing_doubled(server: Server, load: Heard) -> None:
    """Compare the log with what was answered, and the read model with the log."""
    with database_of(server) as services:
        log = whole_log(services)
        by_job = defaultdict[str, list[JobEvent]](list)
        said = defaultdict[str, list[JobEvent]](list)
        found: dict[str, JobEvent] = {}
        for event in log:
            by_job[event.originator_id].append(event)
            if isinstance(event.fact, Received):
                callback_id = event.fact.callback_id
                assert callback_id is not None
                said[callback_id].append(event)
        for callback_id, events in said.items():
            kinds = [type(event.fact) for event in events]
            assert kinds in ([kinds[-1]], [MetadataReported, StatusReported]), "stored twice"
            whole = number_of(callback_id) % 12 == 10
            assert len(events) == 1 + whole, "half of a callback is stored"
            found[callback_id] = events[-1]
        assert [event.position for event in log] == sorted({event.position for event in log})
        for events in by_job.values():
            versions = [event.originator_version for event in events]
            assert versions == list(range(1, len(events) + 1))
        for callback_id, receipt in load.receipts.items():
            event = found[callback_id]
            assert event.originator_id == receipt["job_id"]
            # The receipt tells the last event: this one, or the last that was decided about it.
            events = by_job[event.originator_id]
            last = events[receipt["version"] - 1]
            assert last.position == receipt["position"]
            assert last.originator_version >= event.originator_version
            decided = events[event.originator_version : last.originator_version]
            assert not any(isinstance(each.fact, Received) for each in decided)
        assert found.keys() <= load.receipts.keys() | load.unknown.keys()

        # By row and unfolded tail first, then by row alone.
        instances = {
            job_id: reduce(instance.evolve, events, Instance(job_id))
            for job_id, events in by_job.items()
        }
        timelines = {
            job_id: reduce(timeline.evolve, events, Timeline(job_id))
            for job_id, events in by_job.items()
        }
        for _ in ("as it was left", "with everything folded"):
            for job_id in by_job:
                assert services.reader.instance(job_id) == instances[job_id]
                assert services.reader.timeline(job_id) == timelines[job_id]
            services.projector().catch_up()
        for job_id in by_job:
            assert not services.read_model.sight("instances", job_id).tail


def number_of(callback_id: str) -> int:
    """Return the number that the load gave a callback."""
    return int(callback_id.removeprefix("callback-"))
