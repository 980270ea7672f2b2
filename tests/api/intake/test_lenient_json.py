"""Lenient JSON: what tools do to an object is undone or replaced, and the rest is refused."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.errors import InvalidJSON
from api.intake.lenient_json import read_object, storable

OBJECT = {"job_id": "job-1", "error": "café \U0001f525", "n": [1, 2.5, None, True]}
TEXT = json.dumps(OBJECT, ensure_ascii=False)
GZIP = gzip.compress(b"{}", mtime=0)
"""With no time in it: each process of a test run must collect the same names."""
ZSTD = b"\x28\xb5\x2f\xfd\x20\x02\x11\x00\x00{}"
"""An object as `zstd` stores it: a frame of one block that is not compressed."""


@pytest.mark.parametrize(
    ("raw", "oddity"),
    [
        (b"\xef\xbb\xbf" + TEXT.encode(), "byte order mark"),
        (b"\xef\xbb\xbf" * 2 + TEXT.encode(), "byte order mark"),
        (TEXT.encode("utf-16"), "UTF-16"),
        (TEXT.encode("utf-16-le"), "UTF-16"),
        (b"\xfe\xff" + TEXT.encode("utf-16-be"), "UTF-16"),
        (TEXT.encode("utf-32"), "UTF-32"),
        (TEXT.encode() + b"\0", "NUL"),
    ],
)
def test_an_object_in_another_encoding_is_the_same_object(raw: bytes, oddity: str) -> None:
    body = read_object(raw)

    assert body.fields == OBJECT
    assert oddity in body.oddities[0]
    assert not body.is_broken


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        (b"caf\xe9", "caf\ufffd"),
        (b"\xe4\xbd", "\ufffd\ufffd"),  # a character that was cut in its middle
        (rb"caf\udce9", "caf\ufffd"),
        (rb"boom \ud83d", "boom \ufffd"),
        (rb"\ude00\ud83d", "\ufffd\ufffd"),
        (rb"a\u0000b", "a\ufffdb"),
        (b"a\0b", "a\ufffdb"),
        (b"line 1\nline 2\t\x1b[0m", "line 1\nline 2\t\x1b[0m"),
    ],
)
def test_a_text_with_broken_characters_is_read(sent: bytes, read: str) -> None:
    body = read_object(b'{"error": "' + sent + b'"}')

    assert storable(body.fields) == {"error": read}
    assert body.oddities


@pytest.mark.parametrize(
    "number", ["NaN", "-Infinity", "1e400", "1180591620717411303424", "-" + "9" * 5000]
)
def test_a_number_that_does_not_fit_is_its_text(number: str) -> None:
    body = read_object(b'{"a": {"b": [' + number.encode() + b"]}}")

    assert body.fields == {"a": {"b": [number]}}
    assert "64 bits" in body.oddities[0]


def test_digits_that_a_float_would_lose_stay() -> None:
    pi = "3.14159265358979323846264338327950288419716939937510"

    assert read_object(f'{{"pi": {pi}}}'.encode()).fields == {"pi": pi}


def test_of_a_name_given_twice_the_last_value_counts() -> None:
    body = read_object(b'{"a": 1, "b": {"c": 1, "c": 2}, "a": 1, "d": 0, "d": false}')

    assert body.fields == {"a": 1, "b": {"c": 2}, "d": False}
    assert body.contradictory == {"d"}


def test_the_same_value_twice_is_nothing_odd() -> None:
    body = read_object(b'{"mode": "x", "inner": [{"a": {"b": 1}, "a": {"b": 1}}], "mode": "x"}')

    assert body == ({"mode": "x", "inner": [{"a": {"b": 1}}]}, (), frozenset(), False)


@pytest.mark.parametrize("depth", [33, 40, 1_000, 100_000])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a}]\\"": ', "}")])
def test_a_value_that_is_nested_deeper_is_kept_as_its_text(
    depth: int, opening: str, closing: str
) -> None:
    levels = depth - 1
    text = '{"x": ' + opening * levels + "1" + closing * levels + ', "y": "[[{"}'

    body = read_object(text.encode())

    value: Any = body.fields["x"]
    for _ in range(31):
        [value] = value if isinstance(value, list) else value.values()
    assert value == opening * (depth - 32) + "1" + closing * (depth - 32)
    assert body.fields["y"] == "[[{"


@pytest.mark.parametrize(
    "raw",
    [
        b"\xef\xbb\xbf",
        b"\xef\xbb\xbf[]",
        b'{"error": "' + b"[" * 50 + b'"',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"a": ' + b"[" * 50 + b"]" * 49 + b"}",
        b'"' + b'\\"' * 100_000,
        b"\0",
        "{}".encode("utf-16")[:-1],
    ],
)
def test_what_is_no_object_is_refused(raw: bytes) -> None:
    with pytest.raises(InvalidJSON):
        read_object(raw)


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        (rb'"C:\Users\ada"', "C:\\Users\\ada"),
        (rb'"100\% of \d+ \u12 \xe9"', r"100\% of \d+ \u12 \xe9"),
        (rb'"it\'s \"so\" \\o/ \u00e9\n\x"', 'it\\\'s "so" \\o/ é\n\\x'),
        (b'"a, ]\x01\\d"', "a, ]\x01\\d"),
        (b"[1, 2 ,\n]", [1, 2]),
        (b'[{"a": "b,}",},]', [{"a": "b,}"}]),
        (b"0,", 0),
        (b"", None),
        (b" \n", None),
        (b', "b": ":,"', None),
        (b'[{"a": }]', [{"a": None}]),
    ],
)
def test_what_a_template_of_a_shell_leaves_is_mended(sent: bytes, read: Any) -> None:
    body = read_object(b'{"x": ' + sent + b"}")

    assert body.fields["x"] == read
    slips = "backslashes, commas or missing values"
    assert body.oddities[-1] == f"the body is not JSON; {slips} in it were mended"


@pytest.mark.parametrize("raw", [b'{"a": "C:\\"}', b'{"a": 1,, "b": 2}', b"{,}x", b'{"a": [,1]}'])
def test_what_could_be_mended_in_two_ways_is_refused(raw: bytes) -> None:
    with pytest.raises(InvalidJSON):
        read_object(raw)


def test_an_object_that_was_encoded_twice_is_called_so() -> None:
    with pytest.raises(InvalidJSON, match="encoded twice"):
        read_object(json.dumps(TEXT).encode())


def test_many_repeated_names_are_read_in_time_that_grows_with_the_body() -> None:
    """A search of all names for each name would take minutes for 1 MiB."""
    names = b", ".join(b'"k%d": %d' % (number % 40_000, number) for number in range(80_000))

    body = read_object(b"{" + names + b"}")

    assert len(body.fields) == len(body.contradictory) == 40_000


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_bytes_are_read_or_refused(inner: bytes) -> None:
    for raw in (inner, b'{"a": "' + inner + b'"}', b'{"a": ' + inner + b"}"):
        try:
            body = read_object(raw)
        except InvalidJSON:
            continue
        json.dumps(storable(body.fields), ensure_ascii=False).encode()


@pytest.mark.parametrize(("raw", "format_"), [(GZIP, "gzip"), (ZSTD, "zstd")])
def test_a_compressed_body_is_named_as_one(raw: bytes, format_: str) -> None:
    with pytest.raises(InvalidJSON, match=f"compressed with {format_}"):
        read_object(raw)
