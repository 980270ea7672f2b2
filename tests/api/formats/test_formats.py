"""Exports for other programs: what spreadsheets and readers of CloudEvents need to see."""

from __future__ import annotations

import csv
import io
import json
import re
from base64 import b64decode
from datetime import datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.formats import Format
from api.formats.cloudevents import SOURCE, batch, cloudevents
from api.formats.spreadsheet import CSV, FIELDS, GUARD, guarded
from domain.job.events import CATALOGUE, Received
from domain.transfer.jsonl import Portable
from domain.unseen import UNSEEN
from tests.support.jobs.strategies import facts, json_values, texts

STATE = b'{"recorded_at":"2026-03-02T12:00:00Z","step":"vm_created","extra":{"load":0.5}}'
EVENT = Portable(7, "job-1", 2, "StepReported", STATE)
SPREAD_OUT = b'{\n "recorded_at": "2026-03-02T12:00:00Z",\n "step": "vm_created"\n}\n'
UNREADABLE = Portable(8, "job-1", 3, "StepReported", b"\xff\x00=1")
portables = st.builds(
    Portable,
    position=st.integers(1, 2**63 - 1),
    job_id=texts,
    version=st.integers(1, 2**63 - 1),
    topic=st.sampled_from(sorted(CATALOGUE)) | texts,
    state=facts(extra=st.dictionaries(st.text(), json_values, max_size=3)).map(msgspec.json.encode)
    | st.binary(max_size=40)
    | st.just(SPREAD_OUT),
)

seldom = settings(deadline=None, max_examples=50)


def written(form: Format, *events: Portable) -> str:
    return (form.before + form.between.join(map(form.write, events)) + form.after).decode()


# CSV


def rows(*events: Portable) -> list[dict[str, str]]:
    """Read the table as a spreadsheet does."""
    return list(csv.DictReader(io.StringIO(written(CSV, *events), newline="")))


def test_a_row_has_a_cell_for_every_field_and_the_rest_as_json() -> None:
    [row] = rows(EVENT)

    filled = {name: cell for name, cell in row.items() if cell}
    assert filled == {
        "position": "7",
        "job_id": "job-1",
        "version": "2",
        "topic": "StepReported",
        "recorded_at": "2026-03-02T12:00:00Z",
        "step": "vm_created",
        "rest": '{"extra":{"load":0.5}}',
    }


def test_every_field_of_the_catalogue_has_a_column() -> None:
    """But what a sender wrote freely, which is the rest: a cell has room for 32,767 characters."""
    known = {field.name for fact in CATALOGUE.values() for field in msgspec.structs.fields(fact)}

    assert known - {"extra", "bent", "raw", "body", "is_base64"} == set(FIELDS)
    assert "extra" in [field.name for field in msgspec.structs.fields(Received)]


@seldom
@given(st.lists(portables, max_size=4))
def test_every_event_is_a_row_of_as_many_cells_and_none_begins_a_formula(
    events: list[Portable],
) -> None:
    """Whatever workflows said."""
    table = list(csv.reader(io.StringIO(written(CSV, *events), newline="")))

    assert len(table) == 1 + len(events)
    assert {len(row) for row in table} == {len(table[0])}
    for row in table:
        for cell in row:
            assert cell[:1] not in ("=", "+", "-", "@")
            assert all(found[0] == "\n" for found in UNSEEN.finditer(cell))


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20"])
@pytest.mark.parametrize("before", ["", " ", "\n", "a\n", "a;", "a; ", 'a;"', 'a;" "', "a;\n;\n"])
def test_an_apostrophe_goes_before_what_would_be_executed(before: str, start: str) -> None:
    formula = f'{start}HYPERLINK("http://evil.example")'
    state = json.dumps({"recorded_at": "2026-03-02T12:00:00Z", "error": before + formula}).encode()

    [row] = rows(Portable(1, "job", 1, "StatusReported", state))

    assert row["error"] == before + GUARD + formula


def with_semicolons(table: str) -> list[list[str]]:
    """Read the table as a spreadsheet does where a comma is the decimal sign."""
    return list(csv.reader(io.StringIO(table, newline=""), delimiter=";"))


@seldom
@given(st.text(';"\n\r\t, =+-@x', max_size=12), st.text(';"\n\r\t, =+-@x', max_size=12))
def test_no_cell_between_semicolons_begins_a_formula(job_id: str, error: str) -> None:
    state = json.dumps({"recorded_at": "2026-03-02T12:00:00Z", "error": error}).encode()

    table = written(CSV, Portable(1, job_id, 1, "StatusReported", state))

    for row in with_semicolons(table):
        for cell in row:
            assert cell.strip()[:1] not in {*"=+-@"}, (table, row)
    for line in table.splitlines():
        for cell in line.split(";"):
            assert cell.strip(' "')[:1] not in {*"=+-@"}, (table, cell)


def test_a_long_text_of_separators_is_guarded_at_once() -> None:
    text = "\n;" * 500_000

    assert guarded(text + "=1") == text + "'=1"


@pytest.mark.parametrize("harmless", ["a=1", "'quoted", "", "1-2", "é", "a;b=1", "a\nb", 'a "-" b'])
def test_other_cells_are_left_as_they_are(harmless: str) -> None:
    assert guarded(harmless) == harmless


def test_what_cannot_be_read_is_in_the_rest() -> None:
    [row] = rows(UNREADABLE)

    assert (row["position"], json.loads(row["rest"])) == ("8", {"unreadable": "\ufffd\0=1"})


HOSTILE = "a\x9b31m\x7f\u202eb\u2028\ufeff"


def test_a_terminal_obeys_no_cell_and_json_in_a_cell_is_exact() -> None:
    state = json.dumps(
        {"recorded_at": "2026-03-02T12:00:00Z", "error": f"\r{HOSTILE}\t", "extra": HOSTILE}
    ).encode()

    [row] = rows(Portable(1, "job", 1, "StatusReported", state))

    assert row["error"] == r"\ra\x9b31m\x7f\u202eb\u2028\ufeff\t"
    assert not UNSEEN.search(row["rest"])
    assert json.loads(row["rest"]) == {"extra": HOSTILE}


# CloudEvents


def test_a_terminal_obeys_no_event_and_its_text_is_exact() -> None:
    state = json.dumps({"recorded_at": "2026-03-02T12:00:00Z", "error": HOSTILE}).encode()

    line = written(cloudevents(SOURCE), Portable(1, "job\u202e", 1, "StatusReported", state))

    assert not UNSEEN.search(line.removesuffix("\n"))
    event = json.loads(line)
    assert (event["subject"], event["data"]["error"]) == ("job\u202e", HOSTILE)


ATTRIBUTE = re.compile("[a-z0-9]{1,20}")
DATA = ("data", "data_base64")
DISALLOWED = re.compile("[\x00-\x1f\x7f-\x9f\ufdd0-\ufdef\ufffe\uffff]")


def conformant(event: dict[str, Any]) -> dict[str, Any]:
    """Return an event, once it is seen to keep the rules of CloudEvents 1.0 and of their JSON."""
    assert {"id", "source", "specversion", "type"} <= event.keys()
    assert event["specversion"] == "1.0"
    assert len(event.keys() & set(DATA)) == 1
    for name in event.keys() - set(DATA):
        assert ATTRIBUTE.fullmatch(name), name
        value = event[name]
        assert type(value) in (str, int, bool), name
        if isinstance(value, int):
            assert -(2**31) <= value < 2**31, name
        else:
            assert value, f"{name} is empty"
            assert not DISALLOWED.search(value), name
            assert not any(ord(c) & 0xFFFE == 0xFFFE for c in value), name
    if "time" in event:
        assert re.fullmatch(
            r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", event["time"]
        )
        assert datetime.fromisoformat(event["time"]).tzinfo
    assert re.fullmatch(r"[a-z]+/[a-z.+-]+", event["datacontenttype"])
    return event


def test_an_event_becomes_a_cloudevent() -> None:
    [line] = written(cloudevents(SOURCE), EVENT).split("\n")[:-1]

    assert conformant(json.loads(line)) == {
        "specversion": "1.0",
        "id": "7",
        "source": "urn:milepost:log",
        "type": "milepost.StepReported",
        "subject": "job-1",
        "time": "2026-03-02T12:00:00Z",
        "sequence": "00000000000000000007",
        "jobversion": 2,
        "datacontenttype": "application/json",
        "data": json.loads(STATE),
    }


def test_what_cannot_be_read_is_carried_as_it_is() -> None:
    event = conformant(json.loads(written(cloudevents(SOURCE), UNREADABLE)))

    assert b64decode(event["data_base64"]) == UNREADABLE.state
    assert "time" not in event


@seldom
@given(st.lists(portables, max_size=4))
def test_every_event_is_one_conformant_line(events: list[Portable]) -> None:
    lines = written(cloudevents("https://milepost.example/log"), *events).split("\n")

    assert lines.pop() == ""
    assert len(lines) == len(events)
    for line, event in zip(lines, events, strict=True):
        assert conformant(json.loads(line))["id"] == str(event.position)


@seldom
@given(st.lists(portables, max_size=4))
def test_a_batch_is_one_array_of_the_same_events(events: list[Portable]) -> None:
    """Also of none."""
    lines = written(cloudevents(SOURCE), *events).split("\n")[:-1]

    assert json.loads(written(batch(SOURCE), *events)) == [json.loads(line) for line in lines]


def test_the_order_of_sequences_is_that_of_positions() -> None:
    positions = [1, 9, 10, 99, 10**10, 2**63 - 1]
    events = [Portable(position, "job", 1, "T", b"{}") for position in positions]

    lines = written(cloudevents(SOURCE), *events).split("\n")[:-1]

    sequences = [json.loads(line)["sequence"] for line in lines]
    assert sequences == sorted(sequences)
