"""Jobs as they look on a working day, for screenshots: their senders say when things happened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from tests.support.processes.server import Server

MACHINE: Final = {"server_ip": "203.0.113.7", "tailscale_ip": "100.64.0.7"}
"""Addresses for documentation: they lead nowhere."""
LOCKED: Final = """\
TASK [base : install packages] ***********************************************
fatal: [runner-7]: FAILED! => {"changed": false, "msg": "'/usr/bin/apt-get -y install
  build-essential' failed: E: Could not get lock /var/lib/dpkg/lock-frontend.
  It is held by process 1412 (unattended-upgr)"}

PLAY RECAP *******************************************************************
runner-7 : ok=11  changed=4  unreachable=0  failed=1  skipped=2
"""


class Scene(NamedTuple):
    """A job, and its callbacks with how many seconds ago each one happened."""

    job_id: str
    agent_id: str
    user_id: str
    callbacks: Sequence[tuple[float, Mapping[str, object]]]


def begun(run: str, attempt: int = 1) -> dict[str, object]:
    """Return the first callback of a run."""
    return {"status": "provisioning", "workflow_run_id": run, "run_attempt": attempt}


def step(name: str, run: str, attempt: int = 1) -> dict[str, object]:
    """Return the callback of a step."""
    return {**begun(run, attempt), "step": name}


def runs(name: str, run: str, attempt: int = 1) -> dict[str, object]:
    """Return the last callback of a run that succeeded."""
    return {**begun(run, attempt), "status": "running", "server_id": name, **MACHINE}


SCENES: Final = (
    Scene(
        "vm-4815",
        "runner-2",
        "grace",
        [
            (9200, begun("8811")),
            (9080, step("vm_created", "8811")),
            (8990, step("ansible_started", "8811")),
            (8850, step("ansible_complete", "8811")),
            (8830, runs("srv-815", "8811")),
        ],
    ),
    Scene(
        "vm-4816",
        "runner-5",
        "linus",
        [
            (7100, begun("8812")),
            (7000, step("vm_created", "8812")),
            (6800, {**begun("8812"), "status": "cancelled", "error": "cancelled by linus"}),
        ],
    ),
    Scene(
        "vm-4817",
        "runner-7",
        "ada",
        [
            (3900, begun("8813")),
            (3720, step("vm_created", "8813")),
            (3600, step("network_configured", "8813")),
            (3520, step("ansible_started", "8813")),
            (
                3280,
                {
                    **begun("8813"),
                    "status": "failed",
                    "error": LOCKED,
                    "failed_step": "ansible",
                    "server_id": "srv-817",
                },
            ),
        ],
    ),
    Scene(
        "vm-4818",
        "db-primary",
        "grace",
        [
            (1500, begun("8814")),
            (1380, step("vm_created", "8814")),
            (1290, step("ansible_started", "8814")),
            (
                1130,
                {
                    **begun("8814"),
                    "status": "failed",
                    "error": "apt-get: could not get lock /var/lib/dpkg/lock-frontend",
                    "failed_step": "ansible",
                },
            ),
            (800, begun("8814", 2)),
            (690, step("vm_created", "8814", 2)),
            (610, step("ansible_started", "8814", 2)),
            (420, step("ansible_complete", "8814", 2)),
            (400, runs("srv-818", "8814", 2)),
        ],
    ),
    Scene(
        "vm-4819",
        "runner-9",
        "linus",
        [(640, begun("8815")), (500, step("vm_created", "8815")), (1, {"status": "complete"})],
    ),
    Scene(
        "vm-4820",
        "runner-3",
        "ada",
        [
            (250, begun("8816")),
            (150, step("vm_created", "8816")),
            (120, step("network_configured", "8816")),
            (45, step("ansible_started", "8816")),
            *((20 - number, {"type": "heartbeat"}) for number in range(4)),
        ],
    ),
    Scene("vm-4821", "runner-4", "grace", []),
)


def set_up(server: Server) -> None:
    """Play the jobs, and register each one: before its callbacks, it would have begun just now."""
    now = datetime.now(UTC)
    for scene in SCENES:
        for ago, fields in scene.callbacks:
            occurred_at = (now - timedelta(seconds=ago)).isoformat()
            callback = {"job_id": scene.job_id, "occurred_at": occurred_at, **fields}
            wanted = 400 if fields.get("status") == "complete" else 200
            assert server.callback(callback).status == wanted
        job = {"job_id": scene.job_id, "agent_id": scene.agent_id, "user_id": scene.user_id}
        assert server.post("/api/jobs", job).status == 201, scene
