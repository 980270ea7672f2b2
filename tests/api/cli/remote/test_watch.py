"""`milepost watch`, on a real server: on a terminal, in a pipe, and over everything that breaks."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import pytest

from api.cli.remote.connection import Connection
from api.cli.remote.seen import Seen, seen_instance
from api.cli.remote.watch import is_due
from tests.support.people.terminal import (
    COLOUR,
    CTRL_C,
    HIDES_CURSOR,
    SHOWS_CURSOR,
    Terminal,
    terminal,
)
from tests.support.processes.server import MILEPOST, PATIENCE_SECONDS, Make, Server
from tests.support.web.scripted_http import STREAM, scripted
from tests.support.web.site import moment

NUMBERS = count(1)
MACHINE = {"server_id": "s-1", "server_ip": "203.0.113.7", "tailscale_ip": "100.64.0.7"}


@pytest.fixture
def own_server(make_server: Make) -> Server:
    """A server that the test may end."""
    return make_server().start()


@pytest.fixture
def job(server: Server) -> str:
    """A job of an agent of its own, which waits for its workflow."""
    return registered(server)


def registered(server: Server) -> str:
    """Register a job that no other test has, for an agent of the same number; return its id."""
    number = next(NUMBERS)
    server.post("/api/jobs", {"agent_id": f"agent-{number}", "job_id": f"job-{number}"})
    return f"job-{number}"


def report(server: Server, job: str, **fields: object) -> int:
    """Send a callback of the job; return its position."""
    receipt = server.callback({"job_id": job, "workflow_run_id": "1", **fields})
    assert receipt.status == 200, receipt
    return int(receipt.body["position"])


def command(server: Server, *arguments: str) -> list[str]:
    return [str(MILEPOST), "watch", *arguments, "--url", server.url]


def watch(server: Server, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Watch until the command ends."""
    return subprocess.run(
        command(server, *arguments),
        env=server.env,
        cwd=server.home,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )


@contextmanager
def piped(server: Server, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Watch in a pipe."""
    process = subprocess.Popen(
        command(server, *arguments),
        env=server.env,
        cwd=server.home,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


@contextmanager
def on_terminal(server: Server, *arguments: str, columns: int = 80) -> Iterator[Terminal]:
    with terminal(command(server, *arguments), server.env, columns) as shown:
        yield shown


def test_each_step_turns_over_on_the_terminal_and_the_end_is_the_exit_status(
    server: Server,
    job: str,
) -> None:
    with on_terminal(server, job) as shown:
        place = shown.until("● Queued")
        report(server, job, status="provisioning")
        place = shown.until("● Creating Server", place)
        report(server, job, status="provisioning", step="vm_created")
        place = shown.until("● Installing Dependencies", place)
        report(server, job, status="running", **MACHINE)

        assert shown.end() == 0

    assert "✓ Running" in shown.written[place:]
    assert shown.plain.rstrip().endswith("✓ Running")
    assert shown.written.count(HIDES_CURSOR) == shown.written.count(SHOWS_CURSOR) == 1
    assert shown.plain.endswith("\n")


def test_a_failure_is_exit_status_1_and_its_error_is_shown(server: Server, job: str) -> None:
    report(server, job, status="provisioning", step="ansible_started")
    with on_terminal(server, job) as shown:
        shown.until("● Configuring Agent")
        report(server, job, status="failed", error="apt-get: no lock\nsecond line")

        assert shown.end() == 1

    assert "✗ Configuring Agent" in shown.plain
    assert "apt-get: no lock\r\nsecond line" in shown.plain


def test_a_job_that_has_ended_is_shown_once(server: Server, job: str) -> None:
    report(server, job, status="running", **MACHINE)

    done = watch(server, job)

    assert (done.returncode, done.stderr) == (0, "")
    [only] = done.stdout.splitlines()
    assert only.endswith("UTC  running  " + "  ".join(f"✓ {label}" for label in LABELS))


LABELS = ("Queued", "Creating Server", "Installing Dependencies", "Configuring Agent", "Running")


def test_ctrl_c_leaves_the_terminal_as_it_was(server: Server, job: str) -> None:
    with on_terminal(server, job) as shown:
        shown.until("● Queued")
        shown.press(CTRL_C)

        assert shown.end() == 130

    assert "Traceback" not in shown.written
    assert shown.written.rindex(SHOWS_CURSOR) > shown.written.rindex(HIDES_CURSOR)


def test_a_pipe_gets_a_line_for_each_change_that_a_person_would_see(
    server: Server, job: str
) -> None:
    report(server, job, status="provisioning")
    with piped(server, job) as process:
        assert "● Creating Server" in line(process)
        report(server, job, type="heartbeat")
        report(server, job, status="provisioning", step="unknown_step")
        report(server, job, status="provisioning", step="vm_created")
        assert "● Installing Dependencies" in line(process)
        report(server, job, status="failed", error="no\x1b[2Jlock\n\u202egone")
        rest, said = process.communicate(timeout=PATIENCE_SECONDS)

    assert process.returncode == 1
    assert r"no\x1b[2Jlock \u202egone" in rest
    assert rest.count("\n") == 1
    assert said == ""


def test_json_has_every_event_once_over_restarts_and_kills_of_the_server(
    own_server: Server,
) -> None:
    job = registered(own_server)
    positions = [report(own_server, job, status="provisioning")]
    with piped(own_server, job, "--json") as process:
        told = [json.loads(line(process))]
        for end in (own_server.stop, own_server.kill, own_server.kill):
            end()
            own_server.start()
            positions += [report(own_server, job, type="heartbeat") for _ in range(3)]
            told += [json.loads(line(process)) for _ in range(3)]
        last = report(own_server, job, status="running", **MACHINE)
        rest, said = process.communicate(timeout=PATIENCE_SECONDS)

    told += map(json.loads, rest.splitlines())
    *states, end_of_job = told
    assert process.returncode == 0
    assert [each["event"] for each in states] == ["state"] * len(states)
    # The machine and the status are two events of one callback.
    assert [each["position"] for each in states] == [*positions, last - 1, last]
    assert states[-1]["data"] == own_server.get(f"/api/jobs/{job}").body | {
        "health": states[-1]["data"]["health"]
    }
    assert end_of_job == {
        "event": "end",
        "position": states[-1]["position"],
        "data": {"status": "running", "outcome": "running"},
    }
    assert said.count("Live updates stopped: ") == 3
    assert said.count("Live updates go on.\n") == 3


def test_the_screen_says_that_live_updates_stopped_and_catches_up(own_server: Server) -> None:
    job = registered(own_server)
    report(own_server, job, status="provisioning")
    with on_terminal(own_server, job) as shown:
        place = shown.until("● Creating Server")
        own_server.kill()
        place = shown.until("Live updates stopped", place)
        place = shown.until("Trying again", place)
        own_server.start()
        report(own_server, job, status="provisioning", step="vm_created")
        place = shown.until("● Installing Dependencies", place)
        report(own_server, job, status="running", **MACHINE)

        assert shown.end() == 0

    assert "Live updates stopped" not in shown.written[place:]


def test_an_agents_next_job_is_shown_too_until_ctrl_c(server: Server, job: str) -> None:
    agent, another = job.replace("job", "agent"), f"{job}-again"
    with piped(server, "--agent", agent) as process:
        assert f"  {job}  pending  " in line(process)
        report(server, job, status="running", **MACHINE)
        assert f"  {job}  running  " in line(process)
        server.post("/api/jobs", {"agent_id": agent, "job_id": another})
        assert f"  {another}  pending  " in line(process)
        process.send_signal(signal.SIGINT)
        rest, said = process.communicate(timeout=PATIENCE_SECONDS)

    assert (process.returncode, rest, said) == (130, "", "")


def test_a_job_that_falls_silent_turns_over_on_the_terminal_without_an_event(
    server: Server,
) -> None:
    """The demo's definition allows 6 s of silence; the command asks when its server says."""
    job = {"agent_id": "agent-of-dying", "job_id": "dying", "workflow": "milepost-demo"}
    server.post("/api/jobs", job)
    server.callback({"job_id": "dying", "type": "heartbeat"})
    for arguments in (("dying",), ("--agent", "agent-of-dying")):
        with piped(server, *arguments) as process:
            first = line(process)
            assert "provisioning" in first
            assert "unresponsive" in first or "unresponsive" in line(process)


EARLY, LATE, END = (f"2026-03-02T{hour}:00:00+00:00" for hour in (12, 13, 14))


def instance_seen(**health: object) -> Seen:
    """Return what is seen of an agent's instance that was retried."""
    instance = {
        "id": "job-1",
        "agentId": "agent-1",
        "status": "failed",
        "outcome": "failed",
        "attempt": 2,
        "error": None,
        "waitingSince": LATE,
        "claimedAt": None,
        "startedAt": None,
        "completedAt": END,
        "createdAt": EARLY,
        "updatedAt": END,
    }
    said = {"state": "ok", "sentence": None, **health}
    return seen_instance({"instance": instance, "steps": [], "health": said})


def test_the_time_of_an_agents_retry_counts_from_the_retry() -> None:
    """The job was registered an hour before, and its first attempt failed."""
    seen = instance_seen(changesAt=None)

    assert seen.attempt == 2
    assert (seen.began, seen.ended) == (moment(LATE), moment(END))


@pytest.mark.parametrize(
    ("health", "seconds", "expected"),
    [
        ({"changesAt": None}, 3_600, False),
        ({}, 10, True),  # of an earlier release
        ({}, 9, False),
        ({"changesAt": END}, 10, True),
        ({"changesAt": END}, 9, False),  # a look that was refused is not repeated each second
        ({"changesAt": "2999-01-01T00:00:00+00:00"}, 3_600, False),
        ({"changesAt": None, "state": "late"}, 10, True),
    ],
)
def test_a_job_is_looked_at_when_time_may_have_changed_its_health(
    health: dict[str, object], seconds: float, expected: bool
) -> None:
    assert is_due(instance_seen(**health), Connection(), seconds) is expected


def test_a_narrow_terminal_shows_hostile_and_wide_text_within_its_columns(
    server: Server, job: str
) -> None:
    error = "\x1b]0;owned\x07 " + "構築" * 30 + " \u202egnp " + "x" * 90 + "\x1b[31m"
    report(server, job, status="failed", error=error)
    server.env["NO_COLOR"] = "1"

    with on_terminal(server, job, columns=40) as shown:
        assert shown.end() == 1

    text = shown.plain
    assert "\x1b" not in text
    assert r"\x1b]0;owned\x07" in text
    assert r"\u202egnp" in text
    assert not COLOUR.search(shown.written)
    assert max(map(columns_of, text.splitlines())) == 40


def columns_of(text: str) -> int:
    return sum(2 if character >= "⺀" else 1 for character in text.rstrip("\r"))


def test_a_busy_server_is_waited_for_in_words(make_server: Make) -> None:
    busy = b'HTTP/1.1 503 Busy\r\nRetry-After: 0\r\n\r\n{"detail": "Too many streams."}'
    gone = b'HTTP/1.1 404 No\r\n\r\n{"detail": "There is no job \'job-1\'."}'
    server = make_server()
    with scripted(busy, gone) as script:
        server.env["MILEPOST_URL"] = script.url
        done = subprocess.run(
            [MILEPOST, "watch", "job-1"],
            env=server.env,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_SECONDS,
        )

    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "Live updates stopped: Too many streams. Trying again.",
        f"Error: {script.url} refuses: There is no job 'job-1'.",
    ]


def test_the_token_of_a_reader_goes_before_the_admin_token(server: Server, job: str) -> None:
    made = subprocess.run(
        [MILEPOST, "tokens", "create", "a-user", "--scope", "read", "--user", "user-1"],
        env=server.env,
        capture_output=True,
        text=True,
        check=True,
    )
    server.env["MILEPOST_TOKEN"] = next(
        word for word in made.stdout.split() if word.startswith("mp_")
    )

    assert "There is no job" in refusal(watch(server, job)), "it is another user's"


@pytest.mark.parametrize(("path", "is_corrected"), [("/jobs", True), ("/api", True), ("/", False)])
def test_an_address_that_was_copied_from_a_browser_is_corrected(
    server: Server, path: str, is_corrected: bool
) -> None:
    """`http://127.0.0.1:8000/jobs refuses: Not Found` let people look at their job's name."""
    done = subprocess.run(
        [MILEPOST, "watch", "no-job", "--url", server.url + path],
        env=server.env,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )

    corrected = f". If Milepost is not below {path}, name {server.url}\n"
    assert refusal(done).endswith(corrected) == is_corrected


@pytest.mark.parametrize("arguments", [("no-job",), ("--agent", "no-agent"), ("a/../b?c",)])
def test_what_is_not_there_is_refused_in_one_line(
    server: Server, arguments: tuple[str, ...]
) -> None:
    assert f"{server.url} refuses: " in refusal(watch(server, *arguments))


def test_an_unknown_token_is_refused_in_one_line(server: Server, job: str) -> None:
    server.env["MILEPOST_TOKEN"] = "an-unknown-token"  # noqa: S105

    assert "does not know the token in MILEPOST_TOKEN" in refusal(watch(server, job))


def test_without_a_server_it_is_refused_in_one_line(make_server: Make) -> None:
    server = make_server()

    said = refusal(watch(server, "job-1"))

    assert f"no Milepost answers at {server.url} (Connection refused)" in said


@pytest.mark.parametrize("arguments", [(), ("job-1", "--agent", "agent-1")])
def test_neither_or_both_of_job_and_agent_is_wrong_usage(
    make_server: Make, arguments: tuple[str, ...]
) -> None:
    done = watch(make_server(), *arguments)

    assert done.returncode == 2
    assert "name either a JOB or an --agent" in done.stderr


def test_a_stream_of_anything_else_is_no_milepost(make_server: Make) -> None:
    server = make_server()
    with scripted(STREAM + b"event: end\nid: 1\ndata: {}\n\n") as script:
        server.port = int(script.url.rpartition(":")[2])

        assert "what answers is no Milepost" in refusal(watch(server, "job-1"))


def refusal(done: subprocess.CompletedProcess[Any]) -> str:
    """Return the one line in which the command was refused."""
    assert done.returncode == 1, done.stdout
    assert done.stderr.startswith("Error: ")
    assert done.stderr.count("\n") == 1
    return str(done.stderr)
