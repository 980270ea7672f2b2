"""A body costs what its length says: twice as long is twice the work, whatever its shape."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any, Final

import pytest

from api.errors import BadRequest
from api.intake.callback import CallbackReader
from tests.support.stores.deployment import NOON

READER: Final = CallbackReader(lambda: NOON)
SMALL: Final = 16 * 1024
HEAD: Final = '{"job_id": "job-1", "status": "failed", '


def filled(piece: str, size: int, head: str, tail: str) -> bytes:
    return (HEAD + head + piece * (size // len(piece)) + tail).encode()


SHAPES: Mapping[str, Callable[[int], bytes]] = {
    "different names": lambda size: (
        HEAD + ",".join(f'"{n:x}":0' for n in range(size // 10)) + "}"
    ).encode(),
    "one name again and again": lambda size: filled('"a":0,', size, "", '"b":0}'),
    "names of known fields again and again": lambda size: filled('"step":"a",', size, "", '"b":0}'),
    "one name twice in many objects": lambda size: filled('{"a":0,"a":1},', size, '"l":[', "0]}"),
    "lists in lists": lambda size: filled("[", size // 2, '"l":', "]" * (size // 2) + "}"),
    "objects in objects": lambda size: filled(
        '{"a":', size // 6, '"l":', "0" + "}" * (size // 30) + "}"
    ),
    "brackets that nothing closes": lambda size: filled("[", size, '"l":', ""),
    "values that are too deep, side by side": lambda size: filled(
        "[" * 40 + "]" * 40 + ",", size, '"l":[', "0]}"
    ),
    "empty lists": lambda size: filled("[],", size, '"l":[', "0]}"),
    "a text of escapes": lambda size: filled("\\u00e9", size, '"l":"', '"}'),
    "a text of halves of pairs": lambda size: filled("\\ud800", size, '"l":"', '"}'),
    "a text of backslashes without an end": lambda size: filled("\\\\", size, '"l":"', ""),
    "a text of line breaks": lambda size: filled("\n", size, '"l":"', '"}'),
    "texts in deep lists": lambda size: filled(
        '"\\"",', size, '"l":' + "[" * 40, "0" + "]" * 40 + "}"
    ),
    "backslashes that begin no escape": lambda size: filled("\\d", size, '"l":"', '"}'),
    "halves of backslashes": lambda size: filled("\\\\\\d", size, '"l":"', '"}'),
    "commas and spaces": lambda size: filled(", ", size, '"l":[', "]}"),
    "spaces after a comma": lambda size: filled(" ", size, '"l":[0,', "0]}"),
    "an error of spaces": lambda size: filled(" ", size, '"status":"failed","error":"', 'x"}'),
    "names of a job in no JSON": lambda size: filled('"job_id":"a', size, '"l":', ""),
    "one whole number": lambda size: filled("9", size, '"l":', "}"),
    "one fraction": lambda size: filled("9", size, '"l":0.', "}"),
    "one exponent": lambda size: filled("9", size, '"l":1e', "}"),
    "numbers that do not fit": lambda size: filled("1e400,", size, '"l":[', "0]}"),
    "NaN": lambda size: filled("NaN,", size, '"l":[', "0]}"),
    "NUL characters at the end": lambda size: filled("\0", size, '"l":0}', ""),
    "byte order marks": lambda size: ("\ufeff" * (size // 3) + HEAD + '"l":0}').encode(),
    "no UTF-8": lambda size: HEAD.encode() + b'"l":"' + b"\xe9" * size + b'"}',
    "a long error": lambda size: filled("\u00e9", size, '"error":"', '"}'),
    "a list for an error": lambda size: filled("[],", size, '"error":[', "0]}"),
    "a long job_id": lambda size: filled("x", size, '"job_id":"', '"}'),
}


def calls_of(work: Callable[[], Any]) -> int:
    """Return how many functions of Python and of C the work called."""
    count = 0

    def profile(_: FrameType, event: str, __: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(profile)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def read(body: bytes) -> None:
    try:
        READER.read(body)
    except BadRequest:
        READER.job_id_in(body)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_body_that_is_four_times_as_long_takes_about_four_times_the_calls(shape: str) -> None:
    short, long = SHAPES[shape](SMALL), SHAPES[shape](4 * SMALL)

    few, many = (calls_of(lambda body=body: read(body)) for body in (short, long))  # type: ignore[misc]

    assert many <= 4.5 * few + 200


@pytest.mark.parametrize("length", [8, 11, 58])
def test_fifty_unknown_names_that_are_like_no_field_cost_little(length: int) -> None:
    # Each name has letters of fields, and none is in the cache of names.
    letters = "aeiprstdolbc"
    names = [
        "".join(letters[(number * 7 + place * place) % 12] for place in range(length - 2))
        + f"{number:02}"
        for number in range(50)
    ]
    body = (HEAD + '"job":0,' + ",".join(f'"{name}":0' for name in names) + "}").encode()

    calls = calls_of(lambda: read(body))

    assert calls < 1000 * len(names)
