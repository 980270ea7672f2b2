"""`milepost top`, on a real server: once, live on a terminal, and in a pipe."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.support.people.terminal import CTRL_C, SHOWS_CURSOR, terminal
from tests.support.processes.server import MILEPOST, PATIENCE_SECONDS, Make, Server

ENTERS_OWN_SCREEN = "\x1b[?1049h"
LEAVES_OWN_SCREEN = "\x1b[?1049l"
MACHINE = {"server_id": "s-1", "server_ip": "203.0.113.7", "tailscale_ip": "100.64.0.7"}


@pytest.fixture
def server(make_server: Make) -> Server:
    """A server with a job that works and one that left a machine behind."""
    started = make_server().start()
    report(started, "job-1", status="provisioning", step="vm_created")
    last = report(started, "job-2", status="failed", error="no lock", **MACHINE)
    started.until(
        lambda: started.get(f"/api/jobs?min_position={last}").status == 200, "reads no job"
    )
    return started


def report(server: Server, job_id: str, **fields: object) -> int:
    receipt = server.callback({"job_id": job_id, "workflow_run_id": "1", **fields})
    assert receipt.status == 200, receipt
    return int(receipt.body["position"])


def command(server: Server, *arguments: str) -> list[str]:
    return [str(MILEPOST), "top", "--url", server.url, *arguments]


def once(server: Server, *arguments: str) -> str:
    """Return what is printed once."""
    return subprocess.run(
        command(server, "--once", *arguments),
        env=server.env,
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE_SECONDS,
    ).stdout


def test_once_prints_each_job_with_what_it_needs(server: Server) -> None:
    needing, under_way = once(server).splitlines()

    assert needing.startswith("needs somebody  job-2  -  failed  Installing Dependencies  Attempt ")
    assert "Remove it, then: milepost stopped job-2" in needing
    assert under_way == "under way  job-1  -  provisioning  Installing Dependencies"

    board = json.loads(once(server, "--json"))
    assert {name: [job["id"] for job in jobs] for name, jobs in board.items()} == {
        "attention": ["job-2"],
        "under_way": ["job-1"],
    }


def test_a_terminal_shows_the_board_live_and_is_as_it_was_afterwards(server: Server) -> None:
    with terminal(command(server), server.env) as shown:
        place = shown.until("Needs somebody: 1 job")
        place = shown.until("Under way: 1 job", place)
        place = shown.until("Installing Dependencies", place)
        report(server, "job-1", status="provisioning", step="ansible_started")
        place = shown.until("Configuring Agent", place)
        report(server, "job-1", status="running", **MACHINE)
        place = shown.until("Under way: nothing", place)
        server.kill()
        place = shown.until("Live updates stopped", place)
        server.start()
        report(server, "job-3", status="provisioning")
        place = shown.until("job-3", place)
        assert "Live updates" not in shown.written[place:]
        shown.press(CTRL_C)

        assert shown.end() == 130

    assert shown.written.count(ENTERS_OWN_SCREEN) == shown.written.count(LEAVES_OWN_SCREEN) == 1
    assert shown.written.rindex(SHOWS_CURSOR) > place
    assert "Traceback" not in shown.written


def test_a_pipe_gets_a_line_for_each_change(server: Server) -> None:
    with subprocess.Popen(
        command(server), env=server.env, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("needs somebody  job-2")
        assert process.stdout.readline().startswith("under way  job-1")
        report(server, "job-1", status="provisioning", step="ansible_started")
        changed = process.stdout.readline()
        process.kill()

    assert changed == "under way  job-1  -  provisioning  Configuring Agent\n"


def test_a_pipe_with_json_gets_the_board_after_each_change(server: Server) -> None:
    with subprocess.Popen(
        command(server, "--json"), env=server.env, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        report(server, "job-1", status="running", **MACHINE)
        second = json.loads(process.stdout.readline())
        process.kill()

    assert [job["id"] for job in first["under_way"]] == ["job-1"]
    assert second["under_way"] == []


def test_without_a_server_it_is_refused_in_one_line(make_server: Make) -> None:
    server = make_server()
    done = subprocess.run(
        command(server),
        env=server.env,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )

    assert done.returncode == 1
    assert done.stderr.startswith("Error: no Milepost answers at")
    assert done.stderr.count("\n") == 1
