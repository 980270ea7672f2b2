"""The auditor's page: its script is the file beside it, and its commands run as they stand."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from tests.support.server import MILEPOST, TOKEN, Make

DOCS = Path(__file__).parents[2] / "docs"
AUDIT = (DOCS / "audit.md").read_text(encoding="utf-8")
SCRIPT = (DOCS / "check_inclusion.py").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """Return the page's code in that language."""
    return re.findall(rf"^```{language}\n(.*?)^```", AUDIT, re.DOTALL | re.MULTILINE)


def test_the_page_shows_the_whole_script() -> None:
    assert blocks("python") == [SCRIPT]


def test_the_script_is_ten_lines() -> None:
    """Not counting blank ones and the comment that says what it is."""
    lines = [line for line in SCRIPT.splitlines() if line and not line.startswith("#")]

    assert len(lines) == 10
    assert max(map(len, lines)) <= 100
    assert ";" not in SCRIPT


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
