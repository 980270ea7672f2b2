"""CSV (RFC 4180) for spreadsheets: one column per field of a fact; no cell can be a formula."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from api.formats import Format
from domain.transfer.jsonl import Portable
from domain.unseen import escaped_json, visible_lines

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
    "other_machine",
    "deadline",
    "due_at",
    "held",
    "reason",
    "detail",
    "id_signed",
    "token_id",
    "workflow_digest",
)
REST = "rest"
"""The column for fields without a column of their own, as JSON."""
START: Final = re.compile('(?:^|[;\n])[\\s";]*+([=+@\uff1d\uff0b\uff0d\uff20-]?)')
"""The start of what may become a cell, and the character that would make it a formula.

Where a comma is the decimal sign, spreadsheets separate cells at semicolons. They then take no
notice of the quotes that CSV has around a cell, so every line of a text begins a row.
"""
GUARD: Final = "'"


def guarded(cell: object) -> str:
    """Return the cell's text without anything that a spreadsheet executes or a terminal obeys.

    An apostrophe precedes each character that would begin a formula. Unseen characters except line
    breaks are written out.
    """
    text = "" if cell is None else str(cell)
    return START.sub(_guarded, visible_lines(text.replace("\r\n", "\n")))


def _guarded(start: re.Match[str]) -> str:
    formula = start[1]
    return f"{start[0].removesuffix(formula)}{GUARD}{formula}" if formula else start[0]


def write(event: Portable) -> bytes:
    """Return the row of an event."""
    fields = _fields(event.state)
    identity = (event.position, event.job_id, event.version, event.topic)
    cells = [_cell(fields.pop(name, None)) for name in FIELDS]
    rest = _json(fields) if fields else None
    return _row((*identity, *cells, rest))


def _fields(state: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(state, type=dict[str, Any])
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return {"unreadable": state.decode(errors="replace")}


def _cell(value: Any) -> Any:
    return _json(value) if isinstance(value, dict | list) else value


def _json(value: Any) -> str:
    return escaped_json(msgspec.json.encode(value).decode())


def _row(cells: Iterable[object]) -> bytes:
    line = io.StringIO()
    csv.writer(line).writerow(map(guarded, cells))
    return line.getvalue().encode()


CSV = Format("csv", 1, write, before=_row((*IDENTITY, *FIELDS, REST)))
