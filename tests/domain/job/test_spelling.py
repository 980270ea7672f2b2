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
