"""A real server's checkpoints and proofs, checked by the auditor's script, and its log verified."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from domain.checkpoints import PublicKey, opened_checkpoint
from tests.e2e.conftest import Make
from tests.e2e.server import MILEPOST, Server

SCRIPT = Path(__file__).parents[2] / "docs" / "check_proof.py"


def run(server: Server, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program beside the server, to its end."""
    return subprocess.run(
        arguments, env=server.env, cwd=server.home, capture_output=True, text=True, check=False
    )


def has_hashed(server: Server, events: int) -> bool:
    """Tell whether the tree has come so far."""
    size: int = json.loads(run(server, str(MILEPOST), "status", "--json").stdout)["tree_size"]
    return size >= events


def test_what_a_server_says_can_be_checked_without_it(server: Server) -> None:
    """The whole way: key, checkpoint, proof, script, and a log that goes on."""
    for number in range(20):
        server.callback({"job_id": f"job-{number % 3}", "type": "heartbeat"})
    server.until(lambda: has_hashed(server, 20), "does not grow its tree")
    key = run(server, str(MILEPOST), "checkpoint", "--key").stdout.strip()
    kept = server.get("/api/checkpoint")
    made = opened_checkpoint(kept.body, [PublicKey.parse(key)])
    assert (made.size, made.origin) == (20, "milepost")
    (server.home / "kept").write_text(kept.body)
    server.callback({"job_id": "job-1", "status": "running"})

    proof = server.get(f"/api/jobs/job-1/events/2/proof?size={made.size}")
    (server.home / "proof.json").write_text(json.dumps(proof.body))
    check = [sys.executable, str(SCRIPT), "proof.json", "kept", "--key", key]
    holds = run(server, *check)
    proof.body["hashes"][0] = proof.body["hashes"][-1]
    (server.home / "proof.json").write_text(json.dumps(proof.body))
    holds_not = run(server, *check)

    assert (holds.returncode, holds.stdout[:6]) == (0, "holds:"), holds.stderr
    assert (holds_not.returncode, holds_not.stdout[:14]) == (1, "does not hold:"), holds_not.stderr
    verified = run(server, str(MILEPOST), "verify", "--checkpoint", "kept")
    assert verified.returncode == 0, verified.stdout
    assert "Checkpoints that this extends: 1" in verified.stdout
    covered = run(server, str(MILEPOST), "checkpoint")
    assert opened_checkpoint(covered.stdout, [PublicKey.parse(key)]).size == 21
    assert covered.stderr == ""


def test_a_server_that_was_killed_grows_the_same_tree_again(server: Server) -> None:
    for _ in range(10):
        server.callback({"job_id": "job", "type": "heartbeat"})
    server.until(lambda: has_hashed(server, 10), "does not grow its tree")
    (server.home / "kept").write_text(server.get("/api/checkpoint").body)
    server.kill()
    server.start()
    for _ in range(10):
        server.callback({"job_id": "job", "type": "heartbeat"})
    server.until(lambda: has_hashed(server, 20), "does not grow its tree")

    verified = run(server, str(MILEPOST), "verify", "--json", "--checkpoint", "kept")

    assert verified.returncode == 0, verified.stdout
    assert json.loads(verified.stdout)["tree_size"] == 20


def test_a_tree_is_grown_by_whoever_projects(make_server: Make, postgres_dsn: str) -> None:
    """Here, `milepost project`, while a server that does not project answers."""
    server = make_server(postgres_dsn, "--no-projector").start()
    server.callback({"job_id": "job", "type": "heartbeat"})
    assert server.get("/readyz").body["tree_lag_events"] == 1
    with subprocess.Popen(
        [str(MILEPOST), "project"], env=server.env, cwd=server.home, stderr=subprocess.DEVNULL
    ) as projector:
        try:
            server.until(
                lambda: server.get("/readyz").body["tree_lag_events"] == 0, "has no projector"
            )
        finally:
            projector.terminate()
    assert server.get("/api/jobs/job/events/1/proof").status == 200
