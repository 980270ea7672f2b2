"""CSV (RFC 4180) for spreadsheets: one column per field of a fact; no cell can be a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Any

import msgspec

from api.formats import Format
from domain.transfer.jsonl import Portable

IDENTITY = ("position", "job_id", "version", "topic")
FIELDS = (
    "recorded_at",
    "occurred_at",
    "agent_id",
    "user_id",
    "region",
    "workflow",
    "attempt",
    "number",
    "status",
    "step",
    "failed_step",
    "error",
    "server_id",
    "server_ip",
    "tailscale_ip",
    "workflow_run_id",
    "silent_since",
    "requested_by",
    "owner",
    "callback_id",
    "idempotency_key",
    "signed_by",
    "digest",
    "run_attempt",
    "because",
    "before",
    "claims",
    "in_workflow",
    "deadline",
    "due_at",
    "held",
    "reason",
    "detail",
    "id_signed",
)
REST = "rest"
"""The column for fields without a column of their own, as JSON."""
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""Characters that start a formula in a spreadsheet, or that a spreadsheet skips before one."""
GUARD = "'"


def guarded(cell: object) -> str:
    """Return the cell's text; a text that a spreadsheet would execute gets an apostrophe first."""
    text = "" if cell is None else str(cell)
    return GUARD + text if text.startswith(FORMULA) else text


def write(event: Portable) -> bytes:
    """Return the row of an event."""
    fields = _fields(event.state)
    identity = (event.position, event.job_id, event.version, event.topic)
    cells = [_cell(fields.pop(name, None)) for name in FIELDS]
    rest = msgspec.json.encode(fields).decode() if fields else None
    return _row((*identity, *cells, rest))


def _fields(state: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(state, type=dict[str, Any])
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return {"unreadable": state.decode(errors="replace")}


def _cell(value: Any) -> Any:
    return msgspec.json.encode(value).decode() if isinstance(value, dict | list) else value


def _row(cells: Iterable[object]) -> bytes:
    line = io.StringIO()
    csv.writer(line).writerow(map(guarded, cells))
    return line.getvalue().encode()


CSV = Format("csv", 1, write, before=_row((*IDENTITY, *FIELDS, REST)))
