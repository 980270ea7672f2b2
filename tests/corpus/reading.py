"""What this release makes of stored events, as JSON that can be compared with what others made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
from eventsourcing.persistence import JSONTranscoder, MapperDeserialisationError

from api.representations.job import job_body
from api.representations.timeline import timeline_body
from domain.application import Milepost
from domain.job.provisioning_job import ProvisioningJob
from domain.log.mapper import JobEventMapper, decoded
from domain.log.recalling.recall import Folded
from domain.log.recalling.recall import fold as fold_job
from domain.log.stored import Stored
from domain.transfer.jsonl import Portable, decode
from domain.workflows.definition import Workflows
from projections.folding.fold import fold
from projections.views.instance import Instance
from projections.views.timeline import Timeline
from projections.views.view import Views
from tests.support.stores.looking import look

RELEASES = Path(__file__).parent / "releases"
MAPPER = JobEventMapper(JSONTranscoder())


def events(release: str) -> list[Portable]:
    """Return the events of a release."""
    with (RELEASES / release / "events.jsonl").open("rb") as file:
        return [decode(line) for line in file]


def recorded(release: str, name: str) -> list[Any]:
    """Return what was recorded of them."""
    content = (RELEASES / release / f"{name}.jsonl").read_bytes()
    return [msgspec.json.decode(line) for line in content.splitlines()]


def facts(stored: Iterable[Portable]) -> Iterator[Any]:
    """Tell what each event says, with the fields that have their defaults."""
    for event in stored:
        try:
            fact = MAPPER.read(stored_as(event)).fact
        except MapperDeserialisationError:
            yield plain({"position": event.position, "fact": None})
            continue
        name = type(fact).__name__
        yield plain({"position": event.position, "fact": name, "fields": whole(fact)})


def states(stored: Iterable[Portable], workflows: Workflows) -> Iterator[Any]:
    """Tell how the job of each event stands after it, to those who read and those who decide."""
    views = Views()
    instances: dict[str, Instance] = {}
    timelines: dict[str, Timeline] = {}
    jobs: dict[str, Folded] = {}
    for event in stored:
        job_id, row = event.job_id, stored_as(event)
        read, aside = decoded([row], MAPPER), list[Any]()
        instances[job_id] = instance = fold(
            views.instance, instances.get(job_id, views.instance.load(job_id, None)), read, aside
        )
        timelines[job_id] = timeline = fold(
            views.timeline, timelines.get(job_id, views.timeline.load(job_id, None)), read, aside
        )
        jobs[job_id] = job = fold_job(
            jobs.get(job_id, Folded(ProvisioningJob(job_id))), [row], MAPPER
        )
        yield plain(
            {
                "position": event.position,
                "job": _without_health(job_body(instance, workflows)),
                "timeline": timeline_body(timeline, workflows),
                "decides": decides(job.job),
                "set_aside": bool(aside),
            }
        )


def _without_health(job: dict[str, Any]) -> dict[str, Any]:
    # It changes with the time of asking.
    return {name: value for name, value in job.items() if name != "health"}


def decides(job: ProvisioningJob) -> dict[str, Any]:
    """Tell what decisions about a job start from, in the words of the first release and ours."""
    attempt = job.attempt
    return {
        **whole(job),
        "attempt": whole(attempt),
        "stop_requested": attempt.stop_requested_at is not None,
        "rollback_requested": attempt.rollback_requested_at is not None,
    }


def keys(milepost: Milepost, names: Iterable[str]) -> Iterator[Any]:
    """Tell who has these names."""
    found = look(milepost.store, names=list(names)).keys
    yield from (plain(found[name]) for name in sorted(found))


def stored_as(event: Portable) -> Stored:
    """Return the event as a store returns it."""
    return Stored(event.position, event.job_id, event.version, event.topic, event.state)


def whole(value: Any) -> Any:
    """Return a struct as a dictionary, with the fields that have their defaults, all the way."""
    if isinstance(value, msgspec.Struct):
        fields = msgspec.structs.fields(value)
        return {field.name: whole(getattr(value, field.name)) for field in fields}
    if isinstance(value, dict):
        return {name: whole(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [whole(each) for each in value]
    return value


def plain(value: Any) -> Any:
    """Return the value as JSON has it."""
    return msgspec.json.decode(msgspec.json.encode(value))
