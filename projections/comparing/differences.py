"""Where two states of a view differ, as exactly as can be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from projections.views.view import State, UnreadableDocument, View

Difference = tuple[str, object, object]
"""What differs, what is expected, what is there."""


def of_documents(view: View[State], state: State, document: str) -> list[Difference]:
    """Say where a document differs from the state that it should hold."""
    try:
        there = view.load(state.job_id, document)
    except UnreadableDocument as error:
        return [("document", "a document that can be read", str(error))]
    return of_states(state, there)


def of_states(expected: msgspec.Struct, there: msgspec.Struct) -> list[Difference]:
    """Say where one state differs from another."""
    if expected == there:
        return []
    return list(_narrowed("", msgspec.to_builtins(expected), msgspec.to_builtins(there)))


def _narrowed(path: str, expected: Any, there: Any) -> Iterator[Difference]:
    if isinstance(expected, dict) and isinstance(there, dict):
        for name in {**expected, **there}:
            inner = f"{path}.{name}" if path else str(name)
            yield from _narrowed(inner, expected.get(name), there.get(name))
    elif isinstance(expected, tuple) and isinstance(there, tuple) and len(expected) == len(there):
        for place, pair in enumerate(zip(expected, there, strict=True)):
            yield from _narrowed(f"{path}[{place}]", *pair)
    elif expected != there:
        yield path, expected, there
