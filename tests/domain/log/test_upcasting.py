"""This release reads the events of old releases as its own facts, and never rewrites them."""

from __future__ import annotations

from typing import ClassVar

import pytest
from eventsourcing.persistence import JSONTranscoder, MapperDeserialisationError, StoredEvent

from domain.job.events import CATALOGUE, Fact, HeartbeatReceived, JobEvent, StepReported, topic_of
from domain.log.mapper import JobEventMapper
from domain.log.store import Append
from domain.log.upcasting import SHAPES, Fields, Shapes, UnknownTopic, Upcaster
from projections.projecting.projector import Projector
from projections.reading.reader import Reader
from tests.support.stores.deployment import NOON, Deployment


class DoorOpened(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """An event of these tests only, in its third shape."""

    SHAPE: ClassVar[int] = 3
    opener: str
    seconds: int


def renamed(fields: Fields) -> Fields:
    """From the first shape to the second: `by` became `opener`."""
    return {"opener": fields.pop("by"), **fields}


def in_seconds(fields: Fields) -> Fields:
    """From the second shape to the third: minutes became seconds."""
    return {**fields, "seconds": 60 * fields.pop("minutes")}


def first_step(fields: Fields) -> Fields:
    """From a withdrawn event to a broader one."""
    return {**fields, "step": "vm_created"}


class Mapper(JobEventMapper):
    """A mapper of a later release."""

    shapes = Shapes(
        {**CATALOGUE, topic_of(DoorOpened): DoorOpened},
        {
            "DoorOpened": Upcaster("DoorOpened:2", renamed),
            "DoorOpened:2": Upcaster("DoorOpened:3", in_seconds),
            "MachineCreated": Upcaster("StepReported", first_step),
        },
    )


MAPPER = Mapper(JSONTranscoder())
AT = b'"recorded_at":"2026-03-02T12:00:00Z"'
OPENED = DoorOpened(recorded_at=NOON, opener="ada", seconds=120)
SHAPES_OF_A_DOOR = {
    "DoorOpened": b'{%s,"by":"ada","minutes":2}' % AT,
    "DoorOpened:2": b'{%s,"opener":"ada","minutes":2}' % AT,
    "DoorOpened:3": b'{%s,"opener":"ada","seconds":120}' % AT,
}


@pytest.mark.parametrize("topic", SHAPES_OF_A_DOOR)
def test_every_shape_that_was_ever_stored_is_read_as_todays(topic: str) -> None:
    stored = StoredEvent("job", 1, topic, SHAPES_OF_A_DOOR[topic])

    assert MAPPER.to_domain_event(stored) == JobEvent("job", 1, OPENED)


def test_todays_shape_is_stored_under_its_number() -> None:
    """So an auditor sees in the table which rows have which fields."""
    stored = MAPPER.to_stored_event(JobEvent("job", 1, OPENED))

    assert (stored.topic, stored.state) == ("DoorOpened:3", SHAPES_OF_A_DOOR["DoorOpened:3"])


def test_the_first_shape_needs_no_number() -> None:
    fact = HeartbeatReceived(recorded_at=NOON)

    assert MAPPER.to_stored_event(JobEvent("job", 1, fact)).topic == "HeartbeatReceived"


@pytest.mark.parametrize(
    "state", [b"", b"[]", b'{%s,"minutes":2}' % AT, b'{%s,"by":"ada","minutes":"long"}' % AT]
)
def test_what_an_upcaster_cannot_change_cannot_be_read(state: bytes) -> None:
    """A fold sets such an event aside."""
    with pytest.raises(MapperDeserialisationError, match="unreadable DoorOpened"):
        MAPPER.to_domain_event(StoredEvent("job", 1, "DoorOpened", state))


def test_a_shape_of_a_newer_release_cannot_be_read() -> None:
    with pytest.raises(MapperDeserialisationError, match="unknown event 'DoorOpened:4'"):
        MAPPER.to_domain_event(
            StoredEvent("job", 1, "DoorOpened:4", SHAPES_OF_A_DOOR["DoorOpened"])
        )


@pytest.mark.parametrize(
    "upcasters",
    [
        {"A": Upcaster("Nothing", renamed)},
        {"A": Upcaster("B", renamed), "B": Upcaster("A", renamed)},
        {"A": Upcaster("A", renamed)},
    ],
)
def test_upcasters_that_lead_to_no_fact_are_refused_at_the_start(
    upcasters: dict[str, Upcaster],
) -> None:
    with pytest.raises(UnknownTopic):
        Shapes(CATALOGUE, upcasters)


def test_a_fact_is_found_under_all_its_topics() -> None:
    assert MAPPER.shapes.topics([DoorOpened]) == ["DoorOpened", "DoorOpened:2", "DoorOpened:3"]
    assert MAPPER.shapes.topics([StepReported]) == ["MachineCreated", "StepReported"]
    assert SHAPES.topics(CATALOGUE.values()) == sorted(CATALOGUE)


def test_old_rows_are_folded_as_todays_facts_and_stay_as_they_are(stores: Deployment) -> None:
    """The aggregate, the projector and reads fold them, on every store."""
    store, state = stores.milepost.store, b'{%s,"server_id":"srv-1"}' % AT
    old = StoredEvent("job", 1, "MachineCreated", state)
    store.transact({}, [], lambda _: Append([old]))
    projector = Projector(store, stores.read_model, MAPPER, stores.workflows)
    reader = Reader(stores.read_model, MAPPER)

    before = reader.instance("job")
    projector.catch_up()

    assert reader.instance("job") == before
    assert before is not None
    assert before.current_step(stores.workflows) == "vm_created"
    assert stores.read_model.set_aside() == []
    [stored] = store.history("job")
    assert (stored.topic, stored.state) == ("MachineCreated", state)


def test_without_the_upcaster_the_same_row_would_be_set_aside(stores: Deployment) -> None:
    """So the upcaster of the test above is necessary."""
    old = StoredEvent("job", 1, "MachineCreated", b"{%s}" % AT)
    stores.milepost.store.transact({}, [], lambda _: Append([old]))

    stores.projector.catch_up()

    assert [event.topic for event in stores.read_model.set_aside()] == ["MachineCreated"]
