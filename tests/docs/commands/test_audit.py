"""The auditor's page: its script is the file beside it, and its commands run as they stand."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from base64 import b64encode
from pathlib import Path

import pytest

from domain.evidence.merkle import leaf_hash, node_hash
from tests.support.processes.server import MILEPOST, TOKEN, Make

DOCS = Path(__file__).parents[3] / "docs"
AUDIT = (DOCS / "audit.md").read_text(encoding="utf-8")
SCRIPT = (DOCS / "check_inclusion.py").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """Return the page's code in that language."""
    return re.findall(rf"^```{language}\n(.*?)^```", AUDIT, re.DOTALL | re.MULTILINE)


def test_the_page_shows_the_whole_script() -> None:
    assert blocks("python") == [SCRIPT]


def test_the_script_is_twelve_lines() -> None:
    """Not counting blank ones and the comment that says what it is."""
    lines = [line for line in SCRIPT.splitlines() if line and not line.startswith("#")]

    assert len(lines) == 12
    assert max(map(len, lines)) <= 100
    assert ";" not in SCRIPT


@pytest.mark.parametrize("script", ["check_inclusion.py", "check_proof.py"])
@pytest.mark.parametrize(
    ("leaf_index", "others", "holds"),
    [(0, 0, True), (0, 1, False), (1, 1, False), (2, 2, False), (-1, 0, False)],
)
def test_no_proof_has_a_leaf_or_a_hash_beyond_the_tree(
    tmp_path: Path, script: str, leaf_index: int, others: int, holds: bool
) -> None:
    """A log that signs another size than its own could else hide events beside this one."""
    entry, other = '[1,"job-1",1,"T"]', bytes(32)
    root = leaf_hash(entry.encode() + b"\n{}")
    for _ in range(others):
        root = node_hash(other, root)
    proof = {
        "entry": entry,
        "stored": b64encode(b"{}").decode(),
        "leaf_index": leaf_index,
        "tree_size": 1,
        "hashes": [b64encode(other).decode()] * others,
    }
    (tmp_path / "proof").write_text(json.dumps(proof))
    (tmp_path / "checkpoint").write_text(f"log\n1\n{b64encode(root).decode()}\n")

    done = subprocess.run(
        [sys.executable, DOCS / script, tmp_path / "proof", tmp_path / "checkpoint"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0 if holds else 1, "")


def test_a_proof_is_fetched_and_checked_as_it_says(make_server: Make) -> None:
    server = make_server().start()
    for _ in range(4):
        server.callback({"job_id": "job-1", "type": "heartbeat"})
    server.until(lambda: "\n4\n" in server.get("/api/checkpoint").body, "does not grow its tree")
    kept = server.get("/api/checkpoint").body
    (server.home / "my-checkpoint").write_text(kept)
    (server.home / "docs").symlink_to(DOCS)
    key = subprocess.check_output([MILEPOST, "checkpoint", "--key"], env=server.env, text=True)

    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(blocks("bash"))],  # noqa: S607
        cwd=server.home,
        env={
            **os.environ,
            "PATH": f"{MILEPOST.parent}:{os.environ['PATH']}",
            "MILEPOST": f"http://127.0.0.1:{server.port}",
            "JOB": "job-1",
            "SIZE": kept.splitlines()[1],
            "TOKEN": TOKEN,
            "PUBLIC_KEY": key,
        },
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert first == "It is in that log, unchanged."
    assert second.startswith('holds: [3,"job-1",3,"HeartbeatReceived"] is in the log of 4 events')
