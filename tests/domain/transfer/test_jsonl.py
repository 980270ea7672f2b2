"""A line gives back exactly the bytes that were stored."""

from __future__ import annotations

import json
from base64 import b64encode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.transfer.jsonl import MAX_LINE_BYTES, InvalidExport, Portable, decode, encode
from domain.unseen import UNSEEN
from tests.support.jobs.strategies import json_values, texts

numbers = st.integers(1, 2**63 - 1)
states = st.binary() | json_values.map(lambda value: json.dumps(value).encode())
PLAIN = '{"recorded_at":"2026-03-02T12:00:00Z","error":"Zürich ☁","load":0.5}'.encode()
LINE = b'{"position":7,"job_id":"job","version":1,"topic":"T","state":{"a":1}}\n'


@settings(deadline=None)
@given(st.builds(Portable, numbers, texts, numbers, texts, states, st.booleans()))
def test_an_event_comes_back_from_its_line_byte_for_byte(event: Portable) -> None:
    line = encode(event)

    assert decode(line) == event
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")


def test_plain_json_stands_in_the_line_as_it_is_stored() -> None:
    line = encode(Portable(7, "job", 2, "StepReported", PLAIN))

    assert (
        line
        == b'{"position":7,"job_id":"job","version":2,"topic":"StepReported","state":%s}\n'
        % (PLAIN)
    )


def test_a_terminal_obeys_no_line() -> None:
    event = Portable(7, "job\u202e\x9b", 2, "Step\x7f", '{"error":"\u2066\x85"}'.encode())

    line = encode(event)

    assert not UNSEEN.search(line.decode().removesuffix("\n"))
    assert decode(line) == event


@pytest.mark.parametrize(
    "state",
    [
        b"",
        b"\xff\xfe",
        b'{"a": 1}',
        b' {"a":1}',
        b'{"a":1}\n',
        b'{"a":1.10}',
        b'{"a":1e400}',
        b'{"a":1,"a":2}',
        b'{"a":"\\u00e9"}',
        b'{"a":"\xff"}',
        b"[" * 100_000,
        b'{"a":"\x7f"}',
        '{"a":"\x9b"}'.encode(),
        '{"a":"\u202e"}'.encode(),
        '{"a":"\u2028"}'.encode(),
    ],
    ids=lambda state: repr(state[:20]),
)
def test_bytes_that_another_writer_of_json_would_not_write_are_carried_in_base64(
    state: bytes,
) -> None:
    """Whoever reads the line and writes it again changes nothing."""
    line = encode(Portable(7, "job", 2, "T", state))

    assert json.loads(line)["state_base64"] == b64encode(state).decode()
    assert decode(line).state == state


def test_sealed_bytes_are_told_from_plain_ones() -> None:
    """Also those that look like JSON."""
    line = encode(Portable(7, "job", 2, "T", b"{}", sealed=True))

    assert json.loads(line)["sealed_base64"] == "e30="
    assert decode(line).sealed


BAD = {
    "nothing": b"\n",
    "no JSON": b"position,job_id\n",
    "no object": b"[]\n",
    "cut off": LINE[:-1],
    "half": LINE[:30] + b"\n",
    "two": LINE[:-1] + LINE,
    "position 0": LINE.replace(b"7", b"0"),
    "position beyond 63 bits": LINE.replace(b"7", b"9223372036854775808"),
    "version of another type": LINE.replace(b'"version":1', b'"version":"1"'),
    "no topic": LINE.replace(b'"topic":"T",', b""),
    "no job": LINE.replace(b'"job"', b'""'),
    "a NUL in a name": LINE.replace(b'"job"', b'"j\\u0000b"'),
    "no state": LINE.replace(b',"state":{"a":1}', b""),
    "two states": LINE.replace(b'"state"', b'"state_base64":"","state"'),
    "no base64": LINE.replace(b'"state":{"a":1}', b'"state_base64":"!!!!"'),
    "no text": LINE.replace(b'{"a":1}', b'{"a":"\xff"}'),
    "too deep": LINE.replace(b'{"a":1}', b"[" * 100_000),
    "a field of a newer format": LINE.replace(b'"topic"', b'"colour":"red","topic"'),
}


@pytest.mark.parametrize("what", BAD)
def test_other_lines_are_refused(what: str) -> None:
    decode(LINE)

    with pytest.raises(InvalidExport):
        decode(BAD[what])


def test_no_event_makes_a_line_that_is_too_long_to_read() -> None:
    """Bodies have at most 64 KiB; their bytes at most twelve times that when they are escaped."""
    assert MAX_LINE_BYTES > 12 * 64 * 2**10 * 4 / 3
