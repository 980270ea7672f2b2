"""A proxy is who signs with its key, in time: nobody else is told how a stream is held."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from api.http.grip.signature import came_through
from tests.support.web.grip import KEY, encoded, signature

NOW = datetime(2026, 11, 27, tzinfo=UTC)


def is_taken(given: str | None, key: bytes = KEY) -> bool:
    return came_through(lambda name: given if name == "Grip-Sig" else None, key, NOW)


def test_the_signature_of_the_proxy_is_taken() -> None:
    assert is_taken(signature())
    # As Pushpin 1.36 signs, whose key this was.
    assert is_taken(
        "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJleHAiOjE3OTU3NTEyMzcsImlzcyI6InB1c2hwaW4ifQ."
        "nDtYYkPE6pNP9Bwm0jOsDi7y0rbYVpnk0GT0UCwJd-0",
        b"0123456789abcdef",
    )


@pytest.mark.parametrize(
    "given",
    [
        None,
        "",
        ".",
        "..",
        "a.b.c",
        "ü.ü.ü",
        signature(b"another key of some length"),
        signature(expires=NOW.timestamp()),
        signature(alg="none"),
        signature()[:-1],
        f"{encoded({'alg': 'none'})}.{encoded({'exp': 4_000_000_000})}.",
        "x" * 10_000,
    ],
)
def test_no_other_text_is_a_signature(given: str | None) -> None:
    assert not is_taken(given)


def test_without_a_key_nobody_is_the_proxy() -> None:
    assert not is_taken(signature(b""), b"")
