"""The link of a held stream opens that stream alone, and only as Milepost made it."""

from __future__ import annotations

import base64

import pytest

from api.http.grip.held_link import PATH, Held, opened, path_of
from tests.support.web.grip import KEY

HELD = Held("0123456789ab", 41, "job/1 ü", None)


def sealed(held: Held = HELD, key: bytes = KEY) -> str:
    return path_of(held, key).removeprefix(PATH)


@pytest.mark.parametrize(
    "held", [HELD, Held("admin:x", 0, None, "agent-1"), Held("a", 7, "job-1", None, 1_800_000_000)]
)
def test_a_link_names_its_stream(held: Held) -> None:
    assert opened(sealed(held), KEY) == held


def test_a_longest_id_makes_a_link_that_is_still_found() -> None:
    assert len(sealed(Held("a" * 12, 10**18, "\U0001f600" * 200))) <= 2000


def test_a_link_that_was_changed_opens_nothing() -> None:
    text = sealed()
    for at in range(len(text)):
        other = "A" if text[at] != "A" else "B"
        # The last character may have bits that count for nothing.
        assert opened(f"{text[:at]}{other}{text[at + 1 :]}", KEY) in (None, HELD)
    payload = base64.urlsafe_b64decode(text + "==")[:-16]
    for forged in (payload, payload + bytes(16), b""):
        assert opened(base64.urlsafe_b64encode(forged).decode().rstrip("="), KEY) is None
    assert opened("A", KEY) is None


def test_a_link_of_another_key_opens_nothing() -> None:
    assert opened(sealed(key=b"another key of some length"), KEY) is None
    assert opened(sealed(key=b""), b"") is None
