"""Random requests after the OpenAPI document, by schemathesis, to a real server."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.support.processes.server import TOKEN, Server

PROGRAM: Final = Path(sys.executable).with_name("schemathesis")
ROOT: Final = Path(__file__).parents[3]
CHECKS: Final = (
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
"""No answer that the document does not describe; it describes no 500."""

PHASES: Final = ("examples", "coverage", "fuzzing", "stateful")
"""What schemathesis sends: what the document shows, values at each bound, random ones, stories."""

ENDLESS: Final = "/stream$"
"""Paths whose answers do not end: the fuzzing would wait for them for ever."""

KNOWN: Final = {"job_id": ("job-1", "job-2", "wild"), "agent_id": ("agent-1", "agent-2")}
"""Ids that the server has before the fuzzing, by parameter."""


def fuzz(
    server: Server, examples: int, seed: int = 0, phases: Sequence[str] = PHASES
) -> str | None:
    """Send at most so many random requests to each operation, then stories of several requests.

    Return what schemathesis says of an answer that is not as documented; None without one.
    """
    done = _run(server, examples, seed, phases, subprocess.PIPE)
    return done.stdout if done.returncode else None


def fuzz_in_sight(server: Server, examples: int, seed: int) -> bool:
    """Do the same, and let schemathesis show its progress; tell whether all was as documented."""
    return _run(server, examples, seed, PHASES, None).returncode == 0


def _run(
    server: Server, examples: int, seed: int, phases: Sequence[str], output: int | None
) -> subprocess.CompletedProcess[str]:
    for job_id, agent_id in zip(("job-1", "job-2"), KNOWN["agent_id"], strict=True):
        server.post("/api/jobs", {"job_id": job_id, "agent_id": agent_id, "user_id": agent_id})
    for job_id in KNOWN["job_id"]:
        server.callback({"job_id": job_id, "status": "provisioning", "step": "vm_created"})
    server.callback({"job_id": "job-2", "status": "running", "server_id": "srv-1"})
    return subprocess.run(
        [
            *(PROGRAM, "run", f"{server.url}/api/openapi.json"),
            *("--header", f"Authorization: Bearer {TOKEN}"),
            *("--checks", ",".join(CHECKS)),
            *("--exclude-path-regex", ENDLESS),
            *("--phases", ",".join(phases)),
            *("--max-examples", str(examples), "--seed", str(seed)),
            *("--request-timeout", "30", "--continue-on-failure", "--suppress-health-check", "all"),
        ],
        cwd=server.home,  # its database of examples stays there
        env={
            **server.env,
            "PYTHONPATH": str(ROOT),
            "SCHEMATHESIS_HOOKS": "tests.drill.fuzzing.signing",
        },
        stdout=output,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
