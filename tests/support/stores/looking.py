"""Looking into a store as a transaction does."""

from __future__ import annotations

from collections.abc import Sequence

from domain.job.keys.key import Key
from domain.log.store import Append, Found, JobStore


def look(store: JobStore, known: dict[str, int] | None = None, names: Sequence[str] = ()) -> Found:
    """Return what a transaction sees."""
    seen: list[Found] = []

    def decide(found: Found) -> Append:
        seen.append(found)
        return Append()

    assert list(store.transact(known or {}, names, decide)) == []
    return seen[0]


def key_of(store: JobStore, name: str) -> Key | None:
    """Return a key as it stands."""
    return look(store, names=[name]).keys.get(name)
