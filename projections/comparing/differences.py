"""The differences between two states of a view, narrowed down to single fields."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from projections.views.view import State, UnreadableDocument, View

Difference = tuple[str, object, object]
"""The name of what differs, its expected and its actual value."""


def of_documents(view: View[State], state: State, document: str) -> list[Difference]:
    """Return the differences between a document and the state that it must hold.

    The names are paths that begin with `document`, as in `document.attempt.steps`.
    """
    try:
        actual = view.load(state.job_id, document)
    except UnreadableDocument as error:
        return [("document", "a document that can be read", str(error))]
    return of_states(state, actual, "document")


def of_states(expected: msgspec.Struct, actual: msgspec.Struct, path: str = "") -> list[Difference]:
    """Return the differences between two states; the names are paths below `path`."""
    if expected == actual:
        return []
    return list(_narrowed(path, msgspec.to_builtins(expected), msgspec.to_builtins(actual)))


def _narrowed(path: str, expected: Any, actual: Any) -> Iterator[Difference]:
    if isinstance(expected, dict) and isinstance(actual, dict):
        for name in {**expected, **actual}:
            inner = f"{path}.{name}" if path else str(name)
            yield from _narrowed(inner, expected.get(name), actual.get(name))
    elif isinstance(expected, tuple) and isinstance(actual, tuple) and len(expected) == len(actual):
        for index, pair in enumerate(zip(expected, actual, strict=True)):
            yield from _narrowed(f"{path}[{index}]", *pair)
    elif expected != actual:
        yield path, expected, actual
