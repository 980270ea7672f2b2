"""The story: what three workflows and one operator do, and when. Nothing is sent from this file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias

AGENT_PREFIX: Final = "demo-"
"""The ids of the demo's agents begin with this, so that a list shows which jobs are the demo's."""


class Register(NamedTuple):
    """The application registers the job, before it dispatches the workflow.

    `workflow` has its version: somebody's own newest `vm` may have other steps.
    """

    workflow: str


class Report(NamedTuple):
    """The workflow's run sends a callback; `run_attempt` counts the run's attempts from 1."""

    fields: Mapping[str, object]
    run_attempt: int = 1


class Command(NamedTuple):
    """An operator gives a command about the job."""

    name: str
    reason: str


Act: TypeAlias = Register | Report | Command


class Part(NamedTuple):
    """An agent whose one job has a part in the story, and what that job shows."""

    agent: str
    about: str


class Scene(NamedTuple):
    """`act` is done for `part` when the story is `at` seconds old; `words` say it to a person."""

    at: float
    part: Part
    words: str
    act: Act


WEB: Final = Part("demo-web", "a success")
DB: Final = Part("demo-db", "a failure, and a retry")
LOST: Final = Part("demo-lost", "a job that falls silent")
CAST: Final = (WEB, DB, LOST)

MACHINE: Final = {"server_ip": "203.0.113.7", "tailscale_ip": "100.64.0.7"}
"""Addresses for documentation: they lead nowhere."""
BEGUN: Final = {"status": "provisioning"}
ALIVE: Final = {"type": "heartbeat"}


def reached(step: str, run_attempt: int = 1) -> tuple[str, Report]:
    """Return the words and the callback of a step."""
    return step, Report({"status": "provisioning", "step": step}, run_attempt)


def scenes(tag: str) -> Sequence[Scene]:
    """Return the scenes in their order; `tag` tells the machines of one play from the next."""
    web, db, first_db = (
        {"server_id": f"{name}-{tag}", **MACHINE} for name in ("web", "db-2", "db-1")
    )
    gone = {"status": "stopped", "server_id": first_db["server_id"]}
    locked = {
        "status": "failed",
        "error": "apt-get: could not get lock /var/lib/dpkg/lock-frontend",
        "failed_step": "ansible",
        **first_db,
    }
    scenes: dict[Part, list[tuple[float, str, Act]]] = {
        WEB: [
            (0.0, "registered", Register("vm@1")),
            (1.0, "provisioning", Report(BEGUN)),
            (3.0, *reached("vm_created")),
            (5.0, *reached("network_configured")),
            (6.5, "heartbeat", Report(ALIVE)),
            (8.0, *reached("ansible_started")),
            (11.0, *reached("ansible_complete")),
            (13.0, "running", Report({"status": "running", **web})),
        ],
        DB: [
            (0.5, "registered", Register("vm@1")),
            (1.5, "provisioning", Report(BEGUN)),
            (3.5, *reached("vm_created")),
            (5.5, *reached("ansible_started")),
            (7.0, "failed: apt-get locked", Report(locked)),
            (8.5, "stopped: machine gone", Report(gone)),
            (10.0, "an operator retries it", Command("retry", "apt-get is free again")),
            (11.5, "provisioning", Report(BEGUN, 2)),
            (12.5, *reached("vm_created", 2)),
            (14.0, *reached("ansible_started", 2)),
            (16.0, *reached("ansible_complete", 2)),
            (17.5, "running", Report({"status": "running", **db}, 2)),
        ],
        LOST: [
            (1.0, "registered", Register("milepost-demo@1")),
            (2.0, "provisioning", Report(BEGUN)),
            (4.0, *reached("vm_created")),
            (4.5, "heartbeat", Report(ALIVE)),
            (7.0, "heartbeat", Report(ALIVE)),
            (9.0, *reached("ansible_started")),
            (9.5, "a last heartbeat", Report(ALIVE)),
        ],
    }
    every = (
        Scene(at, part, words, act) for part, acts in scenes.items() for at, words, act in acts
    )
    return sorted(every, key=lambda scene: scene.at)
