"""The bound of a read in bytes: that of `domain/log/bounded.py`, by the documents of its rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from domain.log.bounded import first_within, has_reached
from projections.read_model.rows import DueRow, InstanceRow, Row

AnyRow = TypeVar("AnyRow", bound=Row | DueRow | InstanceRow)


def within_bytes(rows: Iterable[AnyRow]) -> list[AnyRow]:
    """Return the first rows, up to the one with which their documents reach `READ_BYTES`."""
    return first_within(rows, _size_of)


def is_full(rows: Sequence[AnyRow], limit: int) -> bool:
    """Tell whether a read of at most `limit` rows ended at a bound, so that more may follow."""
    return has_reached(rows, limit, _size_of)


def read_of(job_ids: Sequence[str], documents: Mapping[str, str]) -> Sequence[str]:
    """Return the first of these jobs, up to the one whose document was the last within the bound.

    The documents are those that one read of these jobs returned; see `ReadModel.documents`.
    """
    if not documents or not has_reached(list(documents.values()), len(job_ids), _bytes_of):
        return job_ids
    *_, last = documents
    return job_ids[: job_ids.index(last) + 1]


def _size_of(row: Row | DueRow | InstanceRow) -> int:
    return _bytes_of(row.document)


def _bytes_of(document: str) -> int:
    # PostgreSQL counts bytes, too: it knows them without reading the document.
    return len(document) if document.isascii() else len(document.encode())
