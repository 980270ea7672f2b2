"""What any release has stored says the same to this one, and comes to the same."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import msgspec
import pytest

from domain.job import events as catalogue
from domain.job.events import CATALOGUE, Fact, topic_of
from domain.log.upcasting import SHAPES, UPCASTERS
from domain.transfer.jsonl import encode
from domain.workflows.definition import Workflows
from tests.corpus.reading import (
    RELEASES,
    events,
    facts,
    keys,
    plain,
    recorded,
    states,
    stored_as,
)
from tests.support.people.shell import beside
from tests.support.stores.deployment import Deployment

releases = pytest.mark.parametrize("release", sorted(path.name for path in RELEASES.iterdir()))
FACTS = [
    fact
    for _, fact in inspect.getmembers(catalogue, inspect.isclass)
    if issubclass(fact, Fact) and not fact.__subclasses__()
]


def agrees(before: Any, now: Any) -> bool:
    """Tell whether all that was said before is said now; more may be."""
    if isinstance(before, dict) and isinstance(now, dict):
        return all(name in now and agrees(value, now[name]) for name, value in before.items())
    if isinstance(before, list) and isinstance(now, list):
        return len(before) == len(now) and all(map(agrees, before, now))
    return bool(before == now)


def assert_agreement(before: list[Any], now: list[Any]) -> None:
    assert len(before) == len(now)
    for then, found in zip(before, now, strict=True):
        assert agrees(then, found), f"\nthen {then}\nnow  {found}"


@releases
def test_every_stored_event_says_what_it_said(release: str) -> None:
    assert_agreement(recorded(release, "facts"), list(facts(events(release))))


@releases
def test_every_job_comes_to_what_it_came_to_at_each_of_its_versions(
    release: str, workflows: Workflows
) -> None:
    assert_agreement(recorded(release, "states"), list(states(events(release), workflows)))


@releases
def test_a_file_of_stored_events_is_imported_as_it_is(
    release: str, databases: Deployment, tmp_path: Path
) -> None:
    """By the command, into both databases; then the projector and reads agree with the corpus."""
    stored, shell = events(release), beside(databases, tmp_path)

    shell("import", str(RELEASES / release / "events.jsonl"), "--no-manifest")

    rows = databases.milepost.store.events(0, 10_000)
    assert rows == [stored_as(event) for event in stored]
    databases.projector.catch_up()
    last = {state["job"]["id"]: state for state in recorded(release, "states")}
    for job_id, state in last.items():
        found = plain(shell.json("jobs", job_id))
        assert agrees({**state["job"], "attempts": state["timeline"]["attempts"]}, found), job_id
    taken = recorded(release, "keys")
    assert list(keys(databases.milepost, [key["name"] for key in taken])) == taken
    shell("export", str(tmp_path / "again"))
    assert (tmp_path / "again").read_bytes() == b"".join(map(encode, stored))
    aside = {event.position for event in databases.read_model.set_aside()}
    assert aside == {
        state["position"] for state in recorded(release, "states") if state["set_aside"]
    }


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.__name__)
def test_every_kind_of_event_is_in_the_corpus_in_every_form(fact: type[Fact]) -> None:
    """With what it must have, with all that it may have, and with what a newer release may add.

    Whoever adds an event, a field or a shape adds it to the corpus: see its README.
    """
    fields = msgspec.structs.fields(fact)
    known = {field.encode_name for field in fields}
    needed = {field.encode_name for field in fields if field.required}

    found = forms(topic_of(fact))

    assert CATALOGUE.get(topic_of(fact)) is fact
    assert needed in found, f"{fact.__name__} with only what it must have"
    assert set().union(*(form & known for form in found)) == known, f"{fact.__name__}, all of it"
    assert any(form - known for form in found), f"{fact.__name__} with fields that it does not know"


@pytest.mark.parametrize("topic", [*CATALOGUE, *UPCASTERS])
def test_every_topic_that_was_ever_stored_is_in_the_corpus(topic: str) -> None:
    assert forms(topic)
    assert SHAPES.becomes(topic) in CATALOGUE


def forms(topic: str) -> list[set[str]]:
    """Return the sets of fields with which events of this topic are in the corpus."""
    return [
        set(msgspec.json.decode(event.state, type=dict[str, Any]))
        for release in RELEASES.iterdir()
        for event in events(release.name)
        if event.topic == topic and event.state.startswith(b'{"')
    ]
