"""Spelling: which known word somebody may have meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher
from typing import Final

MAX_LENGTH: Final = 60
"""Longer words are not compared: comparing takes the product of both lengths."""
ALIKE: Final = 0.84
"""`vm_create` and `vm_created` are alike to 0.95, `server_id` and `server_ip` to 0.89."""
SWAPPED: Final = 0.97
"""How alike two words are in which two neighbours changed places, also if they are short."""


def closest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that differs in little: case, separators or a letter; else None."""
    if len(word) > MAX_LENGTH:
        return None
    letters = bare(word)
    alike = [(_likeness(letters, bare(each)), each) for each in known if each != word]
    likeness, best = max(alike, default=(0.0, ""))
    return best if likeness >= ALIKE else None


def bare(word: str) -> str:
    """Return the word without case and separators."""
    return "".join(character for character in word.casefold() if character.isalnum())


def _likeness(one: str, other: str) -> float:
    if one == other:
        return 1.0 if one else 0.0
    if _is_swapped(one, other):
        return SWAPPED
    # The comparison costs far more than a count of the letters, which rules out almost every word.
    alike_at_most = 2 * _common_letters(one, other)
    if alike_at_most < ALIKE * (len(one) + len(other)):
        return 0.0
    return SequenceMatcher(None, one, other, autojunk=False).ratio()


def _common_letters(one: str, other: str) -> int:
    """Return how many letters the words have in common, wherever these are."""
    if 2 * min(len(one), len(other)) < ALIKE * (len(one) + len(other)):
        return 0
    return sum(min(one.count(letter), other.count(letter)) for letter in set(other))


def _is_swapped(one: str, other: str) -> bool:
    """Tell whether the words differ in two neighbours that changed places."""
    if len(one) != len(other):
        return False
    places = [place for place in range(len(one)) if one[place] != other[place]]
    if len(places) != 2 or places[1] != places[0] + 1:
        return False
    first, second = places
    return one[first] == other[second] and one[second] == other[first]
