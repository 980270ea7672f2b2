"""The bound of a list in bytes: the rows of one read fit into memory, however wide they are.

A read returns at most as many rows as were asked for, and none after the one with which their
documents reach `READ_BYTES`. So a read that finds rows returns at least one, whatever its width.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

from domain.log.bounded import READ_BYTES
from projections.read_model.rows import DueRow, InstanceRow, Row

AnyRow = TypeVar("AnyRow", Row, DueRow, InstanceRow)


def within_bytes(rows: Iterable[AnyRow]) -> list[AnyRow]:
    """Return the first rows, up to the one with which their documents reach `READ_BYTES`."""
    first: list[AnyRow] = []
    size = 0
    for row in rows:
        first.append(row)
        size += _bytes_of(row.document)
        if size >= READ_BYTES:
            break
    return first


def is_full(rows: Sequence[AnyRow], limit: int) -> bool:
    """Tell whether a read of at most `limit` rows ended at a bound, so that more may follow."""
    return len(rows) >= limit or sum(_bytes_of(row.document) for row in rows) >= READ_BYTES


def _bytes_of(document: str) -> int:
    # PostgreSQL counts bytes, too: it knows them without reading the document.
    return len(document) if document.isascii() else len(document.encode())
