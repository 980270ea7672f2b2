"""Spelling: which known word somebody may have meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher
from typing import Final

MAX_LENGTH: Final = 60
"""Longer words are not compared: comparing takes the product of both lengths."""
ALIKE: Final = 0.84
"""`vm_create` and `vm_created` are alike to 0.95, `server_id` and `server_ip` to 0.89."""


def closest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that differs in little: case, separators or a letter; else None."""
    if len(word) > MAX_LENGTH:
        return None
    bare = _bare(word)
    alike = [(_likeness(bare, _bare(each)), each) for each in known if each != word]
    likeness, best = max(alike, default=(0.0, ""))
    return best if likeness >= ALIKE else None


def _bare(word: str) -> str:
    return "".join(character for character in word.casefold() if character.isalnum())


def _likeness(one: str, other: str) -> float:
    if one == other:
        return 1.0 if one else 0.0
    return SequenceMatcher(None, one, other, autojunk=False).ratio()
