"""A real server's checkpoints and proofs, checked by the auditor's script, and its log verified."""

from __future__ import annotations

import json
import subprocess
import sys
from base64 import b64decode, b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from domain.evidence.checkpoint import opened_checkpoint
from domain.evidence.signing_keys import PublicKey
from tests.support.processes.server import MILEPOST, Make, Server, running

DOCS = Path(__file__).parents[2] / "docs"
WRONG = b64encode(b"w" * 32).decode()


def run(server: Server, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program beside the server, to its end."""
    return subprocess.run(
        arguments, env=server.env, cwd=server.home, capture_output=True, text=True, check=False
    )


def has_hashed_all(server: Server) -> bool:
    """Tell whether the tree has every event that was answered."""
    return bool(server.get("/readyz").body["tree_lag_events"] == 0)


def test_what_a_server_says_can_be_checked_without_it(server: Server) -> None:
    """The whole way: key, checkpoint, proof, script, and a log that goes on."""
    for number in range(20):
        server.callback({"job_id": f"job-{number % 3}", "type": "heartbeat"})
    server.until(lambda: has_hashed_all(server), "does not grow its tree")
    key = run(server, str(MILEPOST), "checkpoint", "--key").stdout.strip()
    kept = server.get("/api/checkpoint")
    made = opened_checkpoint(kept.body, [PublicKey.parse(key)])
    assert (made.size, made.origin) == (20, PublicKey.parse(key).name)
    assert made.origin.startswith("milepost/")
    (server.home / "kept").write_text(kept.body)
    server.callback({"job_id": "job-1", "status": "running"})

    proof = server.get(f"/api/jobs/job-1/events/2/proof?size={made.size}")
    (server.home / "proof.json").write_text(json.dumps(proof.body))
    check = [sys.executable, str(DOCS / "check_proof.py"), "proof.json", "kept", "--key", key]
    holds = run(server, *check)
    proof.body["hashes"][0] = proof.body["hashes"][-1]
    (server.home / "proof.json").write_text(json.dumps(proof.body))
    holds_not = run(server, *check)

    assert (holds.returncode, holds.stdout[:6]) == (0, "holds:"), holds.stderr
    assert (holds_not.returncode, holds_not.stdout[:14]) == (1, "does not hold:"), holds_not.stderr
    verified = run(server, str(MILEPOST), "verify", "--checkpoint", "kept")
    assert verified.returncode == 0, verified.stdout
    assert "Checkpoints that the log extends: 1" in verified.stdout
    covered = run(server, str(MILEPOST), "checkpoint")
    assert opened_checkpoint(covered.stdout, [PublicKey.parse(key)]).size == 21
    assert covered.stderr == ""


def changed(proof: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the proof with each thing that it says of the event changed, one at a time."""
    first, *others = proof["hashes"]
    position, *event = json.loads(proof["entry"])
    return {
        name: {**proof, name.split(",")[0]: value}
        for name, value in {
            "entry, of another job": proof["entry"].replace("job-1", "job-2"),
            "entry, elsewhere": json.dumps([position + 1, *event], separators=(",", ":")),
            "stored": b64encode(b64decode(proof["stored"]) + b" ").decode(),
            "leaf_index, the next": proof["leaf_index"] + 1,
            "leaf_index, by the same way": proof["leaf_index"] + (1 << len(proof["hashes"])),
            "leaf_index, before all": proof["leaf_index"] - proof["tree_size"],
            "tree_size, smaller": proof["tree_size"] - 1,
            "tree_size, larger": proof["tree_size"] + 1,
            "hashes, another": [WRONG, *others],
            "hashes, in another order": [*others, first],
            "hashes, too few": others,
            "hashes, too many": [first, *others, WRONG],
            "hashes, none": [],
        }.items()
    }


@pytest.fixture(scope="module")
def kept_of(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, str]]:
    """A server, and a checkpoint that was kept while its log went on."""
    with running(tmp_path_factory.mktemp("server")) as server:
        for number in range(21):
            server.callback({"job_id": f"job-{number % 3}", "type": "heartbeat"})
        server.until(lambda: has_hashed_all(server), "does not grow its tree")
        kept = server.get("/api/checkpoint").body
        server.callback({"job_id": "job-1", "status": "running"})
        server.until(lambda: has_hashed_all(server), "does not grow its tree")
        yield server, kept


@pytest.mark.parametrize("script", ["check_inclusion.py", "check_proof.py"])
def test_each_script_sees_whatever_a_proof_says_wrong(
    kept_of: tuple[Server, str], script: str
) -> None:
    """Of every event, against a checkpoint that was kept while the log went on."""
    server, kept = kept_of

    def holds(proof: dict[str, Any], checkpoint: str = kept) -> bool:
        (server.home / "proof.json").write_text(json.dumps(proof))
        (server.home / "kept").write_text(checkpoint)
        done = run(server, sys.executable, str(DOCS / script), "proof.json", "kept")
        assert (done.returncode, done.stderr) in ((0, ""), (1, "")), done.stderr
        return done.returncode == 0

    proofs = [
        server.get(f"/api/jobs/job-{number % 3}/events/{number // 3 + 1}/proof?size=21").body
        for number in range(21)
    ]
    assert [proof["leaf_index"] for proof in proofs] == list(range(21))
    assert all(holds(proof) for proof in proofs)

    proof = proofs[10]
    for what, wrong in changed(proof).items():
        assert wrong != proof, what
        assert not holds(wrong), what
    assert not holds({**proofs[11], "leaf_index": 10})
    assert not holds(proof, kept.replace(proof["root"], WRONG))
    assert not holds(proof, kept.replace("\n21\n", "\n22\n"))
    assert not holds(server.get("/api/jobs/job-1/events/4/proof").body)
    # The server's word on its tree is no part of the proof: the kept checkpoint is asked instead.
    assert holds({**proof, "root": WRONG, "checkpoint": proof["checkpoint"].replace("21", "22")})


def test_a_server_that_was_killed_grows_the_same_tree_again(server: Server) -> None:
    for _ in range(10):
        server.callback({"job_id": "job", "type": "heartbeat"})
    server.until(lambda: has_hashed_all(server), "does not grow its tree")
    (server.home / "kept").write_text(server.get("/api/checkpoint").body)
    server.kill()
    server.start()
    for _ in range(10):
        server.callback({"job_id": "job", "type": "heartbeat"})
    server.until(lambda: has_hashed_all(server), "does not grow its tree")

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
