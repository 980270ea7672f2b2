"""Differences between two representations of a job."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

BOOKKEEPING: Final = {"version", "position", "updated_at", "updatedAt", "uptime", "max_retries"}
"""Fields that are not compared: they differ after every event, or never."""


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the differing fields, each with both values; a value is None before the job existed.

    Each UI step is compared as a field such as `steps.creating`, whose value is its status.
    """
    old, new = _fields(before), _fields(after)
    return [
        {"field": name, "before": old.get(name), "after": new.get(name)}
        for name in {**new, **old}
        if old.get(name) != new.get(name)
    ]


def _fields(body: Mapping[str, Any]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, value in body.items():
        if name == "instance":
            fields |= _fields(value)
        elif name == "steps":
            fields |= {f"steps.{step.id}": step.status for step in value}
        elif name not in BOOKKEEPING:
            fields[name] = value
    return fields
