"""Answers are written without the schemas, and are what the schemas say."""

from __future__ import annotations

import json
from datetime import datetime
from functools import reduce
from typing import Any

from eventsourcing.persistence import StoredEvent
from hypothesis import given, settings
from hypothesis import strategies as st
from marshmallow import Schema, fields

from api.http.answers import in_json
from api.representations.difference import difference_body
from api.representations.event import page_body
from api.representations.job import instance_body, job_body
from api.representations.timeline import timeline_body
from api.schemas.history import DifferenceSchema, EventPageSchema
from api.schemas.jobs import InstanceSchema, JobListSchema, JobSchema
from api.schemas.timeline import TimelineSchema
from domain.job.events import Fact, JobEvent, JobQueued
from domain.log.store import Append
from domain.workflows.files import load
from projections.reading.entries import Wanted
from projections.reading.history import History
from projections.views import instance, timeline
from projections.views.instance import Instance
from projections.views.timeline import Timeline
from tests.support.jobs.strategies import WORKFLOWS, facts, json_values, numbered, times
from tests.support.stores.deployment import Clock, Deployment

SHIPPED = load()
registrations: st.SearchStrategy[Fact] = st.builds(
    JobQueued,
    recorded_at=times,
    agent_id=st.text(max_size=8),
    user_id=st.none() | st.text(max_size=8),
    region=st.text(max_size=8),
    workflow=st.sampled_from(WORKFLOWS),
)
any_history = st.lists(facts(), min_size=1, max_size=25).map(numbered)
registered = st.builds(
    lambda first, later: numbered([first, *later]), registrations, st.lists(facts(), max_size=25)
)


def instance_of(history: list[JobEvent]) -> Instance:
    return reduce(instance.evolve, history, Instance("job"))


def written(body: object) -> Any:
    answer = in_json(body)
    assert answer.headers == [("Content-Type", "application/json")]
    return json.loads(answer.body)


def assert_as_described(body: object, schema: Schema) -> None:
    """Check that the answer is what the schema makes of what it reads in it: names, order, formats.

    Reading leaves out unknown names, and refuses values that are not of the kind.
    """
    told = written(body)
    described: Any = schema.dump(schema.load(told))
    assert json.dumps(told) == json.dumps(described)
    assert_complete(told, schema)


def assert_complete(told: dict[str, Any], schema: Schema) -> None:
    there = {k: field for k, field in schema.fields.items() if field.required or k in told}
    assert list(told) == list(there)
    for name, field in there.items():
        if isinstance(field, fields.Nested) and told[name] is not None:
            assert_complete(told[name], field.schema)
        if isinstance(field, fields.List) and isinstance(field.inner, fields.Nested):
            for each in told[name]:
                assert_complete(each, field.inner.schema)


@given(registered, times)
def test_an_instance_is_as_its_schema_describes_it(history: list[JobEvent], now: datetime) -> None:
    body = instance_body(instance_of(history), SHIPPED, now)

    assert_as_described(body, InstanceSchema())


@given(any_history, st.none() | times)
def test_a_job_is_as_its_schema_describes_it(history: list[JobEvent], now: datetime | None) -> None:
    assert_as_described(job_body(instance_of(history), SHIPPED, now), JobSchema())


@given(st.lists(any_history, max_size=3))
def test_a_list_is_as_its_schema_describes_it(histories: list[list[JobEvent]]) -> None:
    bodies = [job_body(instance_of(history), SHIPPED) for history in histories]

    assert_as_described({"jobs": bodies}, JobListSchema())


@given(any_history)
def test_a_timeline_is_as_its_schema_describes_it(history: list[JobEvent]) -> None:
    state = reduce(timeline.evolve, history, Timeline("job"))

    assert_as_described(timeline_body(state, SHIPPED), TimelineSchema())


@settings(deadline=None, max_examples=60)
@given(st.lists(facts(extra=st.dictionaries(st.text(), json_values, max_size=3)), max_size=12))
def test_a_history_is_as_its_schema_describes_it(history: list[Fact]) -> None:
    made = Deployment({"PERSISTENCE_MODULE": "domain.log.memory"}, SHIPPED, Clock())
    mapper = made.milepost.mapper
    rows = [mapper.to_stored_event(event) for event in numbered(history)]
    rows.append(StoredEvent("job", len(rows) + 1, "JobPainted", b"[]"))
    made.milepost.store.transact({}, [], lambda _: Append(rows))
    page = History(made.read_model, mapper).of_job("job", 0, 50, Wanted())

    body = page_body(page, SHIPPED)

    assert len(body["events"]) == len(history) + 1
    told = written(body)
    described: Any = EventPageSchema().dump(EventPageSchema().load(told))
    assert json.dumps(told) == json.dumps(described)


@given(any_history, any_history)
def test_a_difference_is_as_its_schema_describes_it(
    one: list[JobEvent], other: list[JobEvent]
) -> None:
    body = difference_body(
        instance_of(one), instance_of(other), lambda each: job_body(each, SHIPPED)
    )

    assert_as_described(body, DifferenceSchema())
