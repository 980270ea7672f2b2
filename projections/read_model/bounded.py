"""The bound of a list in bytes: that of `domain/log/bounded.py`, by the documents of its rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

from domain.log.bounded import first_within, has_reached
from projections.read_model.rows import DueRow, InstanceRow, Row

AnyRow = TypeVar("AnyRow", Row, DueRow, InstanceRow)


def within_bytes(rows: Iterable[AnyRow]) -> list[AnyRow]:
    """Return the first rows, up to the one with which their documents reach `READ_BYTES`."""
    return first_within(rows, _size_of)


def is_full(rows: Sequence[AnyRow], limit: int) -> bool:
    """Tell whether a read of at most `limit` rows ended at a bound, so that more may follow."""
    return has_reached(rows, limit, _size_of)


def _size_of(row: Row | DueRow | InstanceRow) -> int:
    # PostgreSQL counts bytes, too: it knows them without reading the document.
    document = row.document
    return len(document) if document.isascii() else len(document.encode())
