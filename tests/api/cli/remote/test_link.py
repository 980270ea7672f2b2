"""`milepost link`, on a real server."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.processes.server import MILEPOST, PATIENCE_SECONDS, Server

JOB = "job 1/a?b"
AGENT = "agent of links"


@pytest.fixture
def server(server: Server) -> Server:
    """A server with a job that waits for its workflow."""
    # The first test registers it. To the others, the server says that it has the job.
    server.post("/api/jobs", {"agent_id": AGENT, "job_id": JOB})
    return server


def link(server: Server, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command."""
    return subprocess.run(
        [str(MILEPOST), "link", *arguments, "--url", server.url],
        env=server.env,
        cwd=server.home,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )


def opened(server: Server, url: str) -> Any:
    """Return what the link opens, without a token."""
    answer = server.request("GET", url.removeprefix(server.url))
    assert answer.status == 200
    return answer.body


def test_a_link_is_printed_and_opens_what_it_says(server: Server) -> None:
    job = link(server, JOB, "--opens", "job")
    agent = link(server, "--agent", AGENT, "--opens", "instance", "--expires", "90d", "--json")

    assert "until" in job.stderr
    assert opened(server, job.stdout.strip())["id"] == JOB
    made = json.loads(agent.stdout)
    assert opened(server, made["url"])["instance"]["id"] == JOB
    left = datetime.fromisoformat(made["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=89) < left <= timedelta(days=90)


def test_a_workflow_has_a_link_to_its_badge(server: Server) -> None:
    made = link(server, "--workflow", "vm@1", "--expires", "90d")

    answer = server.request("GET", made.stdout.strip().removeprefix(server.url))
    assert (answer.status, answer.headers["content-type"]) == (200, "image/svg+xml")
    wrong = link(server, JOB, "--workflow", "vm")
    assert (wrong.returncode, wrong.stdout) == (2, "")


def test_what_gets_no_link_is_told_in_a_line(server: Server) -> None:
    absent = link(server, "nothing")
    assert (absent.returncode, absent.stdout) == (1, "")
    assert "There is no job with this id" in absent.stderr

    over = link(server, JOB, "--expires", "2020-01-01")
    assert over.returncode == 1
    assert "expires_in" in over.stderr

    wrong = link(server, JOB, "--agent", AGENT)
    assert wrong.returncode == 2
    assert "either a JOB, an --agent or a --workflow" in wrong.stderr
