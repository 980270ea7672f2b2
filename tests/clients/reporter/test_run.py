"""`run`: a command is, to itself and to whoever started it, as it is without the reporter."""

from __future__ import annotations

import contextlib
import os
import pty
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.clients.reporter.gate import answering, forward, silent
from tests.clients.reporter.job import Job
from tests.clients.reporter.program import PATIENCE_SECONDS, USUAL, until

PYTHON = shlex.quote(sys.executable)
COUNTS = """
import os, signal, sys, time
folder = sys.argv[1]
came = []
def count(signo, frame):
    came.append(signo)
    open(os.path.join(folder, "came"), "a").write(f"{signo}\\n")
for each in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP):
    signal.signal(each, count)
open(os.path.join(folder, "starting"), "w").write(str(os.getppid()))
os.rename(os.path.join(folder, "starting"), os.path.join(folder, "ready"))
while not os.path.exists(os.path.join(folder, "end")):
    time.sleep(0.01)
sys.exit(5)
"""
"""Says who started it, counts the signals that come, and ends with 5 when it is told to."""


def errors(job: Job) -> list[str | None]:
    """Return the errors that callbacks reported."""
    return [event["payload"].get("error") for event in job.events()]


@pytest.mark.parametrize(
    "script",
    [
        "echo out; echo err >&2",
        "exit 3",
        "exit 255",
        "kill -KILL $$",
        "kill -TERM $$",
        "kill -SEGV $$",
        "ulimit -c; ulimit -n; umask; pwd; env | grep -c MILEPOST_CALLBACK",
        "read -r line || echo end of input",
        "exec 2>&-; echo fine",
        "trap '' PIPE; trap",
    ],
)
def test_output_and_exit_status_are_those_of_the_command(job: Job, script: str) -> None:
    alone = job.report.ended(["bash", "-c", script])

    reported = job.report("run", "--", "bash", "-c", script)

    assert (reported.returncode, reported.stdout, reported.stderr) == (
        alone.returncode,
        alone.stdout,
        alone.stderr,
    )


def test_a_whole_run_begins_and_ends_under_one_name_that_the_command_knows(job: Job) -> None:
    inner = " ".join(map(shlex.quote, job.report.argv("step", "vm_created")))

    job.report("run", "--", "sh", "-c", inner)

    assert job.said() == ["provisioning", "vm_created", "running"]
    assert job.shown["status"] == "running"
    assert len({event["payload"]["workflow_run_id"] for event in job.events()}) == 1


def test_a_part_of_a_run_says_its_steps_and_ends_nothing_unless_it_fails(job: Job) -> None:
    part = ("--step", "ansible_started", "--done", "ansible_complete")

    job.report("run", *part, "--", "true")
    assert job.said() == ["ansible_started", "ansible_complete"]
    assert job.shown["status"] == "provisioning"
    job.report("run", *part, "--", "sh", "-c", "echo no route to host >&2; exit 4")

    assert job.said()[2:] == ["ansible_started", "failed"]
    assert errors(job)[-1] == "Exit status 4\nno route to host"
    assert job.events()[-1]["payload"]["failed_step"] == "ansible_started"


def test_a_closed_stderr_stays_closed_and_spoils_nothing_that_waits(job: Job) -> None:
    job.gate.way = answering("503 Service Unavailable")
    mute = ["bash", "-c", 'exec "$@" 2>&-', "bash"]
    looks = ["bash", "-c", "ls -l /proc/self/fd | grep -c '2 ->'; exit 3"]

    alone = job.report.ended([*mute, *looks])
    done = job.report.ended([*mute, *job.report.argv("run", "--", *looks)], **USUAL)

    assert (done.returncode, done.stdout) == (alone.returncode, alone.stdout)
    job.gate.way = forward
    assert job.report.flush() == 0
    assert job.said() == ["provisioning", "failed"]


@pytest.mark.parametrize(
    ("command", "status", "says"),
    [
        (["no-such-command"], 127, "no-such-command: No such file or directory"),
        (["/"], 126, "/: Permission denied"),
        ([""], 127, ": No such file or directory"),  # a script runs "$COMMAND" and has not set it
    ],
)
def test_a_command_that_cannot_start_fails_as_in_a_shell(
    job: Job, command: list[str], status: int, says: str
) -> None:
    done = job.report("run", "--", *command)
    untold = job.report("run", "--", *command, MILEPOST_CALLBACK_KEY="")

    assert done.returncode == untold.returncode == status
    assert says in done.stderr.decode()
    assert says in untold.stderr.decode()
    assert errors(job) == [None, says]


def test_a_script_that_names_no_shell_runs_as_in_a_shell(job: Job) -> None:
    script = job.report.home / "script"
    script.write_text("echo $1; exit 6\n")
    script.chmod(0o755)

    done = job.report("run", "--", str(script), "hello")

    assert (done.returncode, done.stdout) == (6, b"hello\n")


@pytest.mark.parametrize(
    "octets",
    [
        b"".join(b"%07d of two hundred thousand bytes\n" % number for number in range(5_000)),
        bytes(range(256)) * 800,
        b"no newline at all " * 12_000,
        b"\x1b[31mred\x1b[0m\r\n",
    ],
    ids=["200 KB", "binary", "one line", "colours"],
)
def test_stderr_comes_whole_and_its_end_is_the_error(job: Job, octets: bytes) -> None:
    file = job.report.home / "stderr"
    file.write_bytes(octets)

    done = job.report("run", "--", "sh", "-c", f"cat {file} >&2; exit 2")

    assert done.returncode == 2
    assert done.stderr == octets
    error = errors(job)[-1]
    assert error is not None
    assert error.startswith("Exit status 2\n")
    assert len(error) < 9_000
    end = octets.decode("utf-8", "replace").replace("\x1b[31m", "").replace("\x1b[0m", "").strip()
    assert error.splitlines()[-1][-20:].rstrip() == end.splitlines()[-1][-20:].rstrip()


def test_nothing_of_stderr_is_reported_if_that_is_not_wanted(job: Job) -> None:
    done = job.report("run", "--no-stderr", "--", "sh", "-c", "echo private >&2; exit 2")

    assert done.stderr == b"private\n"
    assert errors(job)[-1] == "Exit status 2"


def test_what_a_command_leaves_running_holds_nothing_up_and_keeps_its_stderr(job: Job) -> None:
    """And a pipe behind stdout ends with the command, although stderr is still in use."""
    home = job.report.home
    go, stderr = home / "go", home / "stderr"
    os.mkfifo(go)
    background = f"(exec >/dev/null; read -r _ <{go}; echo late >&2; echo later >&2) & echo done"
    with stderr.open("wb") as file:
        done = job.report.begun(
            "run", "--", "bash", "-c", background, stdout=subprocess.PIPE, stderr=file
        )
        out, _ = done.communicate(timeout=PATIENCE_SECONDS)

    assert (done.returncode, out) == (0, b"done\n")
    assert stderr.read_bytes() == b""
    go.write_text("\n")
    until(lambda: stderr.read_bytes() == b"late\nlater\n", "its stderr is lost")
    assert job.said() == ["provisioning", "running"]


def test_a_command_outlives_a_reporter_that_is_killed_and_keeps_its_stderr(job: Job) -> None:
    home = job.report.home
    go, stderr = home / "go", home / "stderr"
    ready, ended = home / "ready", home / "ended"
    os.mkfifo(go)
    job.gate.way = silent
    with stderr.open("wb") as file:
        script = f"touch {ready}; read -r _ <{go}; echo still here >&2 && touch {ended}"
        reporter = job.report.begun("run", "--", "bash", "-c", script, stderr=file)
    until(ready.exists, "the command did not begin")

    reporter.kill()
    assert reporter.wait(PATIENCE_SECONDS) == -signal.SIGKILL
    go.write_text("\n")

    until(ended.exists, "the command lost its stderr")
    # What copies it to the file may be a moment behind the command.
    until(lambda: b"still here\n" in stderr.read_bytes(), "the command's stderr is lost")
    assert len(job.report.waiting()) == 1


def counting(job: Job, **options: Any) -> tuple[subprocess.Popen[bytes], Path]:
    """Begin a command that counts signals; return when it does."""
    command = job.report.begun(
        "run", "--", sys.executable, "-c", COUNTS, str(job.report.home), **options
    )
    until((job.report.home / "ready").exists, "the command did not begin")
    return command, job.report.home / "came"


def lines(path: Path) -> list[int]:
    """Return the signals that came."""
    return [int(line) for line in path.read_text().split()] if path.exists() else []


@pytest.mark.parametrize("signo", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1])
@pytest.mark.parametrize("to_group", [False, True], ids=["to the reporter", "to the group"])
def test_a_signal_comes_to_the_command_once(
    job: Job, signo: signal.Signals, to_group: bool
) -> None:
    """Terraform takes a second SIGINT as the order to drop everything."""
    command, came = counting(job, start_new_session=True)

    (os.killpg if to_group else os.kill)(command.pid, signo)
    until(lambda: lines(came), "the signal did not come")
    # Passed on after it, so all of the first has come by then. Of two equal ones, one may get lost.
    os.kill(command.pid, signal.SIGUSR2)
    until(lambda: signal.SIGUSR2 in lines(came)[1:], "the second signal did not come")
    (job.report.home / "end").touch()

    assert command.wait(PATIENCE_SECONDS) == 5
    assert lines(came) == [signo, signal.SIGUSR2]
    wanted = signo != signal.SIGUSR1
    assert job.shown["outcome"] == ("cancelled" if wanted else "failed")


def test_a_command_that_a_signal_ends_passes_that_on(job: Job) -> None:
    command = job.report.begun(
        "run", "--", "sh", "-c", f"touch {job.report.home}/ready; exec sleep 300"
    )
    until((job.report.home / "ready").exists, "the command did not begin")

    command.terminate()

    assert command.wait(PATIENCE_SECONDS) == -signal.SIGTERM
    assert (job.shown["outcome"], errors(job)[-1]) == (
        "cancelled",
        "Ended by SIGTERM",
    )


def test_a_command_that_is_killed_is_reported_so(job: Job) -> None:
    done = job.report("run", "--step", "vm_created", "--", "sh", "-c", "echo why >&2; kill -9 $$")

    assert done.returncode == -signal.SIGKILL
    assert (job.shown["outcome"], errors(job)[-1]) == ("failed", "Ended by SIGKILL\nwhy")


def test_a_signal_that_is_ignored_stays_ignored(job: Job) -> None:
    script = f"trap '' HUP; exec {PYTHON} {job.report.argv('run')[1]} run -- bash -c 'kill -HUP $$'"

    assert job.report.ended(["bash", "-c", script]).returncode == 0


def on_a_terminal(job: Job, command: list[str]) -> tuple[int, bytes]:
    """Run a command on a terminal; return its wait status and what it showed."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe(command[0], command, job.report.env)  # noqa: S606
    shown = b""
    with contextlib.suppress(OSError):  # how Linux says that nobody has the terminal any more
        while octets := os.read(terminal, 65536):
            shown += octets
    os.close(terminal)
    return os.waitpid(pid, 0)[1], shown


def test_on_a_terminal_the_command_has_the_terminal_to_itself(job: Job) -> None:
    looks = (
        "import os; print([os.isatty(fd) for fd in (0, 1, 2)], os.tcgetpgrp(0) == os.getpgrp());"
        "import sys; print('red', file=sys.stderr); sys.exit(3)"
    )
    command = [sys.executable, "-c", looks]

    alone = on_a_terminal(job, command)
    reported = on_a_terminal(job, job.report.argv("run", "--", *command))

    assert reported == alone
    assert b"[True, True, True] True" in reported[1]
    assert errors(job)[-1] == "Exit status 3"


def test_ctrl_c_on_a_terminal_comes_to_the_command_once(job: Job) -> None:
    home = job.report.home
    waits = [sys.executable, "-c", COUNTS, str(home)]
    script = " ".join(map(shlex.quote, job.report.argv("run", "--", *waits)))
    ends = f"trap : INT; {script}; echo $? > {home}/status"

    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe("bash", ["bash", "-c", ends], job.report.env)  # noqa: S606, S607
    until((home / "ready").exists, "the command did not begin")
    os.write(terminal, b"\x03")
    until(lambda: lines(home / "came"), "Ctrl-C did not come")
    os.kill(int((home / "ready").read_text()), signal.SIGUSR1)
    until(lambda: signal.SIGUSR1 in lines(home / "came"), "the second signal did not come")
    (home / "end").touch()
    until((home / "status").exists, "the command did not end")
    os.close(terminal)
    os.waitpid(pid, 0)

    assert lines(home / "came") == [signal.SIGINT, signal.SIGUSR1]
    assert (home / "status").read_text() == "5\n"
    assert job.shown["outcome"] == "cancelled"


def test_the_command_does_not_wait_for_the_first_word(job: Job) -> None:
    """It ends while the server still keeps the reporter waiting."""
    job.gate.way = silent
    job.report.env |= USUAL
    ended = job.report.home / "ended"
    command = job.report.begun("run", "--", "sh", "-c", f"touch {ended}; exec sleep 300")

    until(ended.exists, "the command waits for the server")

    command.terminate()
    command.wait(PATIENCE_SECONDS)
    assert len(job.report.waiting()) == 2


def test_a_signal_after_the_command_has_ended_ends_the_waiting_soon(job: Job) -> None:
    job.gate.way = silent
    command = job.report.begun("run", "--wait", "600", "--", "sh", "-c", "exit 3")
    until(lambda: len(job.report.waiting()) == 2, "the command did not end")

    command.terminate()

    assert command.wait(PATIENCE_SECONDS) == 3
    assert len(job.report.waiting()) == 2
