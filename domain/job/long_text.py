"""Long texts: a job's state keeps the head and the tail of one, its event keeps all of it."""

from __future__ import annotations

from typing import Final

MAX_IN_STATE: Final = 2_000
"""A text in a job's state or row has at most this many characters: state and row are read often."""
ELSEWHERE: Final = "are left out here; the job's events have them"


def shortened(text: str) -> str:
    """Return a text as a job's state has it: whole, or its head and tail with a note between."""
    return text if len(text) <= MAX_IN_STATE else without_middle(text, MAX_IN_STATE, ELSEWHERE)


def is_shortened(text: str) -> bool:
    """Tell whether a text is what `shortened` leaves of a longer one."""
    return len(text) == MAX_IN_STATE and ELSEWHERE in text


def without_middle(text: str, most: int, why: str) -> str:
    """Return `most` characters of a longer text: its head, a note with the reason, its tail."""
    note = f"\n[… {len(text) - most:,} characters and more {why} …]\n"
    head = (most - len(note)) // 2
    tail = most - len(note) - head
    return text[:head] + note + text[-tail:]
