"""Jobs of every kind that a page shows, one of them odd."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from tests.support.processes.server import Server

HOSTILE: Final = "<img src=x onerror=\"document.title='run'\"><script>document.title='run'</script>"
LONG_WORD: Final = "w" * 200
ERROR: Final = f"apt-get: no lock\n\tat line 2 {HOSTILE}\n{LONG_WORD}\n" + "one more line\n" * 700
"""Ten kilobytes of a log."""


MACHINE: Final = {"server_id": "srv-1", "server_ip": "203.0.113.7", "tailscale_ip": "100.64.0.7"}
ODD_ID: Final = 'a "b" 100% <i>\u05d0\u05d1 🚀'
BEGUN: Final = {"status": "provisioning", "workflow_run_id": "1"}
STORIES: Final[Mapping[str, Sequence[Mapping[str, str]]]] = {
    "job/1": [
        BEGUN,
        {"status": "provisioning", "step": "vm_created", "note": HOSTILE},
        {"type": "heartbeat"},
        {"status": "failed", "error": "no lock"},
        {"status": "provisioning", "workflow_run_id": "2"},
        {"status": "running", **MACHINE},
    ],
    "failed-1": [
        BEGUN,
        {"status": "provisioning", "step": "vm_created"},
        {"status": "failed", "error": ERROR, "failed_step": "ansible", "server_id": "srv-2"},
    ],
    "busy-1": [
        BEGUN,
        {"status": "provisioning", "step": "vm_created"},
        {"type": "heartbeat"},
        {"type": "heartbeat"},
    ],
    "refused-1": [BEGUN, {"status": "odd", "note": HOSTILE}],
    ODD_ID: [BEGUN, {"status": "provisioning", "step": LONG_WORD, "note": "\u202eabc\x07"}],
}
"""Each job with its callbacks in order."""


def play(server: Server) -> None:
    """Play the jobs.

    | job | agent | what a page shows |
    | --- | --- | --- |
    | `job/1` | `agent-1` | failed once, was tried again, runs |
    | `failed-1` | `agent-2` | failed, left a machine, an error of 10 KB |
    | `busy-1` | `agent-3` | at its third step |
    | `waiting-1` | `agent-4` | its workflow has not reported yet |
    | `refused-1` | none | a callback of it was refused |
    | `a "b" 100% <i>\u05d0\u05d1 🚀` | `agent-5` | an odd id, and a step of 200 characters |
    """
    for job_id, agent_id in (
        ("job/1", "agent-1"),
        ("failed-1", "agent-2"),
        ("busy-1", "agent-3"),
        ("waiting-1", "agent-4"),
        (ODD_ID, "agent-5"),
    ):
        job = {"job_id": job_id, "agent_id": agent_id, "user_id": f"user of {agent_id}"}
        assert server.post("/api/jobs", job).status == 201
    for job_id, callbacks in STORIES.items():
        for fields in callbacks:
            taken = server.callback({"job_id": job_id, **fields})
            assert taken.status == (400 if fields.get("status") == "odd" else 200), taken
