"""Spelling: what is close is named, and what merely resembles is not."""

from __future__ import annotations

import pytest

from domain.job.spelling import closest

STEPS = ("vm_created", "network_configured", "ansible_started", "ansible_complete")


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("vm_create", "vm_created"),
        ("VM-Created", "vm_created"),
        ("vmCreated", "vm_created"),
        ("ansible_completed", "ansible_complete"),
        ("ansible_start", "ansible_started"),
        ("network_configuered", "network_configured"),
        ("vm_craeted", "vm_created"),
        ("vm_created", None),
        ("coffee_made", None),
        ("ansible", None),
        ("", None),
        ("_", None),
        ("vm_created" * 100_000, None),
    ],
)
def test_the_closest_word_is_named(word: str, meant: str | None) -> None:
    assert closest(word, STEPS if word != "vm_created" else ("vm_create_all_of_it",)) == meant


def test_a_known_word_is_not_close_to_itself() -> None:
    assert closest("server_id", ("server_id",)) is None


@pytest.mark.parametrize(
    ("word", "meant"),
    [("stpe", "step"), ("server_di", "server_id"), ("stop", None), ("epst", None)],
)
def test_two_letters_that_changed_places_are_one_slip(word: str, meant: str | None) -> None:
    """Of two known words that are as near, it is the one with the same letters."""
    assert closest(word, ("server_ip", "server_id", "step")) == meant
