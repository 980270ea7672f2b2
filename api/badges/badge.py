"""What a badge says: a label, a message and a tone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias

import msgspec

Tone: TypeAlias = Literal["good", "busy", "warn", "bad", "calm"]
COLORS: Final[dict[Tone, str]] = {
    "good": "#1a7440",
    "busy": "#2563cf",
    "warn": "#8a5200",
    "bad": "#b3261e",
    "calm": "#59626b",
}
"""White words are legible on each of them, and each is seen on a white and on a black page."""
TONES: Final[dict[str, Tone]] = {
    "pending": "calm",
    "provisioning": "busy",
    "running": "good",
    "stopping": "calm",
    "stopped": "calm",
    "failed": "bad",
    "timed_out": "bad",
    "cancelled": "calm",
}
WORDS: Final = {"pending": "queued", "timed_out": "timed out"}
SECONDS: Final = 10
"""How long a cache may show a badge before it asks again."""


class Badge(msgspec.Struct, frozen=True):
    """What a badge says. With `of`, the job works on `step` of so many UI steps, from 1."""

    label: str
    message: str
    tone: Tone
    step: int = 0
    of: int = 0


def unknown(label: str) -> Badge:
    """Return the badge of what is not there, or not for this caller to see."""
    return Badge(label, "unknown", "calm")


def of_job(job: Mapping[str, Any], label: str) -> Badge:
    """Return the badge of a job, as `job_body` shows it."""
    state = state_of(job)
    message, tone = WORDS.get(state, state), TONES[state]
    step = of = 0
    if state == "provisioning":
        step, of = place_of(job)
        if step:
            message = f"{job['steps'][step - 1].label} {step}/{of}"
    if (health := job["health"]["state"]) != "ok":
        message, tone = f"{message}, {health}", "warn"
    return Badge(label, message, tone, step, of)


def state_of(job: Mapping[str, Any]) -> str:
    """Return the status of a job, or the outcome where that says more; it also styles a mark."""
    outcome = job["outcome"]
    return str(outcome if outcome in ("cancelled", "timed_out") else job["status"])


def place_of(job: Mapping[str, Any]) -> tuple[int, int]:
    """Return the place of the active or failed UI step, from 1, and how many steps there are.

    The place is 0 without such a step.
    """
    steps = job["steps"]
    at = [number for number, each in enumerate(steps, 1) if each.status in ("active", "error")]
    return (at[0] if at else 0), len(steps)


def for_shields(badge: Badge) -> dict[str, Any]:
    """Return the badge as Shields reads it from an endpoint (schema version 1).

    An error's colour cannot be overridden there, so that a failure never looks like a success.
    """
    return {
        "schemaVersion": 1,
        "label": badge.label,
        "message": badge.message,
        "color": COLORS[badge.tone],
        "isError": badge.tone == "bad" or badge.message == "unknown",
        "cacheSeconds": SECONDS,
    }
