"""Events of a history as JSON, as `api/schemas/history.py` describes them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from api.representations.changes import changes
from api.representations.job import job_body
from domain.workflows.definition import Workflows
from projections.reading.actor import actor_of
from projections.reading.entries import Entry
from projections.reading.history import Page


def page_body(page: Page, workflows: Workflows) -> dict[str, Any]:
    """Return a page of a history."""
    return {
        "events": [entry_body(entry, workflows) for entry in page.entries],
        "next_after": page.following,
    }


def entry_body(entry: Entry, workflows: Workflows) -> dict[str, Any]:
    """Return an event with its position, payload, signer and changes."""
    stored, fact = entry.stored, entry.fact
    scheme, _, key_id = (getattr(fact, "signed_by", None) or "").partition(":")
    before = job_body(entry.before, workflows) if entry.before.version else {}
    after = job_body(entry.after, workflows)
    return {
        "job_id": str(stored.job_id),
        "version": stored.version,
        "position": stored.position,
        "recorded_at": _text(fact.recorded_at) if fact else None,
        "occurred_at": _text(getattr(fact, "occurred_at", None)),
        "kind": stored.topic,
        "attempt": entry.attempt,
        "payload": {name: _text(value) for name, value in entry.said.items()},
        "callback_id": getattr(fact, "callback_id", None),
        "id_signed": getattr(fact, "id_signed", None),
        "signed_by": {"scheme": scheme, "key_id": key_id or None} if scheme else None,
        "actor": actor_of(entry),
        "digest": getattr(fact, "digest", None),
        "error": entry.error,
        "state": {
            name: after[name]
            for name in ("status", "outcome", "current_step", "failed_at_step", "attempt", "steps")
        },
        "changed": changes(before, after),
    }


def _text(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
