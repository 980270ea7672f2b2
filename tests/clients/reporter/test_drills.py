"""Drills: whatever becomes of the callbacks, the command ends as without the reporter.

What was not taken waits on disk, and is recorded once when the server can be reached again.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from clients.reporter.milepost_report import spool_root
from tests.clients.reporter.gate import (
    Way,
    answering,
    babble,
    drip,
    flood,
    forward,
    hang_up,
    silent,
    swallow,
)
from tests.clients.reporter.job import Job
from tests.clients.reporter.program import (
    FILE,
    PATIENCE_SECONDS,
    PATIENT,
    USUAL,
    Program,
    until,
)
from tests.support.processes.server import free_port

FAILING = ("run", "--step", "ansible_started", "--", "sh", "-c", "echo why >&2; exit 3")
WAYS: dict[str, Way] = {
    "silent": silent,
    "records and keeps the receipt": swallow,
    "a byte a second": drip,
    "a header without end": flood,
    "resets the connection": hang_up,
    "another protocol": babble,
    "503": answering("503 Service Unavailable", b"{}", **{"Retry-After": "1"}),
    "500": answering("500 Internal Server Error", b"<html>"),
    "429": answering("429 Too Many Requests"),
    "401": answering("401 Unauthorized"),
    "401 without a date": answering("401 Unauthorized", Date="yesterday"),
    "404": answering("404 Not Found"),
    "redirect": answering("302 Found", Location="http://127.0.0.1:1/"),
    "a page that is no receipt": answering("200 OK", b"<html>Sign in</html>"),
    "JSON that is no receipt": answering("200 OK", b"[]"),
}


@pytest.fixture
def job(job: Job) -> Job:
    """A job whose calls take a second at most, as they do unless they are told otherwise."""
    job.report.env |= USUAL
    return job


def recorded_once(job: Job, *said: str) -> None:
    """Assert that these words were recorded, each of them once."""
    events = job.events()
    assert job.said() == list(said)
    assert len({event["callback_id"] for event in events}) == len(events)
    assert job.report.waiting() == []


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_bad_server_changes_neither_exit_status_nor_output_and_gets_all_of_it_once_later(
    job: Job, way: Way
) -> None:
    job.gate.way = way

    step = job.report("step", "vm_created")
    command = job.report(*FAILING)

    assert (step.returncode, step.stdout) == (0, b"")
    assert (command.returncode, command.stdout) == (3, b"")
    assert b"why\n" in command.stderr
    assert step.stderr.startswith(b"milepost-report: ")
    assert step.stderr.endswith(b"; it waits on disk\n")
    assert len(job.report.waiting()) == 3
    job.gate.way = forward
    assert job.report.flush() == 0
    recorded_once(job, "vm_created", "ansible_started", "failed")


def test_a_server_that_is_down_costs_nothing_and_gets_all_of_it_once_later(job: Job) -> None:
    address = job.report.env["MILEPOST_CALLBACK_URL"]
    nobody = Program(job.report.home, address, job.key)
    nobody.env |= {"http_proxy": f"http://127.0.0.1:{free_port()}", **USUAL}

    assert nobody("step", "vm_created").returncode == 0
    assert nobody(*FAILING).returncode == 3
    said = nobody("status", "failed").stderr
    assert b"Connection refused, through the proxy" in said
    assert said.endswith(b"it waits on disk\n")

    assert job.report.flush() == 0
    recorded_once(job, "vm_created", "ansible_started", "failed", "failed")


def test_the_next_call_sends_what_waits_before_its_own_word(job: Job) -> None:
    job.gate.way = answering("503 Service Unavailable")
    for step in ("vm_created", "network_configured"):
        job.report("step", step)
    job.gate.seen.clear()
    job.gate.way = forward

    job.report("step", "ansible_started", **PATIENT)

    steps = [json.loads(each.body)["step"] for each in job.gate.seen]
    assert steps == ["vm_created", "network_configured", "ansible_started"]
    recorded_once(job, *steps)


def test_a_word_that_is_refused_for_ever_does_not_stop_those_behind_it(job: Job) -> None:
    job.gate.way = answering("503 Service Unavailable")
    job.report("step", "vm_created")
    job.gate.way = answering("413 Content Too Large", b'{"detail": "At most 1 MiB."}')

    refused = job.report("step", "network_configured")

    assert refused.returncode == 0
    assert b"Milepost answered 413: At most 1 MiB.\n" in refused.stderr
    assert job.report.waiting() == []


def test_no_heartbeat_waits(job: Job) -> None:
    job.gate.way = answering("503 Service Unavailable")

    heartbeat = job.report("heartbeat")

    assert heartbeat.returncode == 0
    assert b"a heartbeat is lost" in heartbeat.stderr
    assert job.report.waiting() == []


@pytest.mark.parametrize("status", ["503 Service Unavailable", "413 Content Too Large"])
def test_only_strict_calls_fail(job: Job, status: str) -> None:
    job.gate.way = answering(status)

    assert job.report("step", "vm_created", "--strict").returncode == 1
    assert job.report("run", "--strict", "--", "true").returncode == 1
    assert job.report("run", "--strict", "--", "sh", "-c", "exit 4").returncode == 4
    assert job.report("run", "--", "true").returncode == 0
    job.gate.way = forward
    assert job.report("step", "vm_created", "--strict", **PATIENT).returncode == 0


def test_a_longer_wait_tries_again(job: Job) -> None:
    def once(*arguments: object) -> None:
        job.gate.way = forward
        unavailable(*arguments)  # type: ignore[arg-type]

    unavailable = answering("503 Service Unavailable")
    job.gate.way = once

    assert job.report("step", "vm_created", "--strict", "--wait", "20").returncode == 0

    recorded_once(job, "vm_created")


@pytest.mark.parametrize("way", [silent, forward])
def test_twenty_at_once_are_recorded_once_each(job: Job, way: Way) -> None:
    job.gate.way = way
    calls = [job.report.begun("step", f"step-{number:02}") for number in range(20)]
    assert [call.wait(PATIENCE_SECONDS) for call in calls] == [0] * 20
    job.gate.way = forward

    flushes = [job.report.begun("flush", "--wait", "25") for _ in range(20)]

    assert [flush.wait(PATIENCE_SECONDS) for flush in flushes] == [0] * 20
    assert sorted(job.said()) == [f"step-{number:02}" for number in range(20)]
    recorded_once(job, *job.said())


def test_a_call_that_is_killed_while_it_sends_leaves_its_word_to_the_next(job: Job) -> None:
    job.gate.way = swallow
    call = job.report.begun("step", "vm_created", "--wait", "25")
    until(job.events, "nothing is recorded")
    call.kill()
    call.wait(PATIENCE_SECONDS)
    job.gate.way = forward

    assert job.report("heartbeat", **PATIENT).returncode == 0

    assert [event["kind"] for event in job.events()] == ["StepReported", "HeartbeatReceived"]
    assert job.report.waiting() == []


NO_DISK = {
    "a file in place of the folder": "",
    "no room": "ulimit -f 0; ",
    "no folder": "",
}


@pytest.mark.parametrize("kind", NO_DISK)
def test_without_a_disk_everything_is_sent_all_the_same(job: Job, kind: str) -> None:
    spool = spool_of_kind(kind, job.report.home)
    limited = f'{NO_DISK[kind]}exec "$@"'
    command = ("run", "--", "sh", "-c", "exit 3")

    done = job.report.ended(
        ["bash", "-c", limited, "bash", *job.report.argv(*command)],
        MILEPOST_SPOOL=spool,
        **PATIENT,
    )

    assert done.returncode == 3
    assert done.stderr.count(b"nothing can wait on disk") == 1
    assert job.said() == ["provisioning", "failed"]
    job.gate.way = answering("503 Service Unavailable")
    lost = job.report.ended(
        ["bash", "-c", limited, "bash", *job.report.argv(*command)], MILEPOST_SPOOL=spool
    )
    assert lost.returncode == 3
    assert b"it is lost" in lost.stderr


def spool_of_kind(kind: str, home: Path) -> str:
    """Return a folder in which nothing can be kept."""
    if kind == "no folder":
        return "/proc/nothing/here"
    if kind == "no room":
        return str(home / "spool")
    (home / "file").touch()
    return str(home / "file")


def test_a_command_with_a_limit_on_files_meets_it_as_without_the_reporter(job: Job) -> None:
    """Python ignores SIGXFSZ; the command must not inherit that."""
    writes = ["bash", "-c", f"echo 1 > {job.report.home}/written; echo no end"]
    limited = ["bash", "-c", 'ulimit -f 0; exec "$@"', "bash"]

    alone = job.report.ended([*limited, *writes])
    reported = job.report.ended([*limited, *job.report.argv("run", "--", *writes)])

    assert (reported.returncode, reported.stdout) == (alone.returncode, alone.stdout)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"MILEPOST_CALLBACK_URL": ""}, "set MILEPOST_CALLBACK_URL to the callback_url"),
        ({"MILEPOST_CALLBACK_URL": "milepost.example"}, "begins with https:// or http://"),
        ({"MILEPOST_CALLBACK_URL": "https://a:b@milepost.example/"}, "a password"),
        ({"MILEPOST_CALLBACK_URL": "http://[::1/"}, "is no URL"),
        ({"MILEPOST_CALLBACK_URL": "http://milepost.example/api/callbacks"}, "MILEPOST_JOB_ID"),
        ({"MILEPOST_CALLBACK_KEY": ""}, "set MILEPOST_CALLBACK_KEY"),
        ({"MILEPOST_CALLBACK_KEY": "whsec_MDEyMzQ1Njc4"}, ""),
        ({"MILEPOST_CALLBACK_KEY": "whsec_MDEyMzQ1Njc4O"}, "is cut"),
        ({"MILEPOST_CALLBACK_KEY": "", "MILEPOST_CALLBACK_KEY_FILE": "/none"}, "cannot be read"),
        ({"MILEPOST_WAIT": "soon"}, "are seconds"),
    ],
)
def test_a_wrong_setting_is_said_in_a_line_and_stops_nothing(
    job: Job, settings: dict[str, str], says: str
) -> None:
    step = job.report("step", "vm_created", **settings)
    command = job.report("run", "--", "sh", "-c", "echo out; echo err >&2; exit 3", **settings)

    assert (step.returncode, step.stdout) == (0, b"")
    assert (command.returncode, command.stdout) == (3, b"out\n")
    assert says in step.stderr.decode()
    assert b"err\n" in command.stderr
    assert step.stderr.count(b"milepost-report: ") == step.stderr.count(b"\n")


@pytest.mark.parametrize("call", [("step", ""), ("status", "fine"), ("metadata", "image")])
def test_a_value_that_means_nothing_fails_strict_calls_only(
    job: Job, call: tuple[str, ...]
) -> None:
    assert job.report(*call).returncode == 0
    assert job.report(*call, "--strict").returncode == 1
    assert job.events() == []


def test_a_call_that_is_written_wrong_is_refused_when_its_author_tries_it(job: Job) -> None:
    for call in (("stpe", "x"), ("run", "true"), ("step", "x", "--", "true"), ("run", "--")):
        done = job.report(*call)
        assert done.returncode == 2, call
        assert b"usage: milepost-report" in done.stderr


def test_the_output_of_a_call_that_works_is_empty(job: Job) -> None:
    done = job.report("step", "vm_created")

    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert isinstance(done, subprocess.CompletedProcess)


@pytest.mark.parametrize("closing", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize(
    "call", [("step", "vm_created"), ("run", "--step", "vm_created", "--", "true")]
)
def test_a_job_may_have_closed_its_standard_files(
    job: Job, call: tuple[str, ...], closing: str
) -> None:
    closed = ["sh", "-c", f'"$@" {closing}', "sh", *job.report.argv(*call)]

    done = job.report.ended(closed, **PATIENT)

    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert job.said() == ["vm_created"]


def test_without_a_home_a_full_disk_stops_no_command(job: Job) -> None:
    """As for cloud-init, where there is no HOME and the only disk is full."""
    limited = ["bash", "-c", 'trap "" XFSZ; ulimit -f 0; exec "$@"', "bash"]

    done = job.report.ended([*limited, *job.report.argv("run", "--", "echo", "out")], HOME="")

    assert (done.returncode, done.stdout) == (0, b"out\n")


def test_a_home_that_is_not_there_is_not_made_and_words_wait_all_the_same(job: Job) -> None:
    """As for a service's account, whose home is /nonexistent."""
    folder, home = job.report.home, job.report.home / "nonexistent"
    job.gate.way = answering("503 Service Unavailable")

    job.report("step", "vm_created", HOME=str(home), TMPDIR=str(folder), **USUAL)

    job.gate.way = forward
    assert job.report("flush", "--strict", HOME=str(home), TMPDIR=str(folder)).returncode == 0
    assert job.said() == ["vm_created"]
    assert not home.exists()


def test_in_a_home_that_cannot_be_written_nothing_is_kept(tmp_path: Path) -> None:
    """As for an account without a name in a container, whose home is `/`."""
    home, temporary = tmp_path / "home", tmp_path / "tmp"
    home.mkdir(mode=0o555)
    temporary.mkdir()
    may_write = os.access(home, os.W_OK)  # root may

    root = spool_root({"HOME": str(home), "TMPDIR": str(temporary)})

    assert home in root.parents if may_write else root.parent == temporary


def test_a_text_may_begin_with_a_hyphen(job: Job) -> None:
    """It is the last line of a log, and nobody has tried each of those."""
    done = job.report("status", "failed", "--failed-step", "-1", "--error", "--strict", **PATIENT)

    assert done.returncode == 0
    assert (job.shown["failed_step"], job.shown["error"]) == ("-1", "--strict")


def test_the_program_may_come_by_a_pipe(job: Job) -> None:
    done = job.report.ended(["sh", "-c", f"{sys.executable} - step vm_created < {FILE}"], **PATIENT)

    assert (done.returncode, done.stderr) == (0, b"")
    assert job.said() == ["vm_created"]


def test_a_log_that_nobody_reads_holds_up_no_call(job: Job) -> None:
    job.gate.way = answering("503 Service Unavailable")
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writing, bytes(4096))
    os.set_blocking(writing, True)

    call = job.report.begun("step", "vm_created", stderr=writing)
    try:
        assert call.wait(PATIENCE_SECONDS) == 0
    finally:
        call.kill()
        os.close(reading)
        os.close(writing)
