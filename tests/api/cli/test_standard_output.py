"""What a command does when its standard output is a pipe that is closed, or a disk that is full."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from api.cli import OneLineErrors
from tests.support.people.shell import Shell, beside
from tests.support.stores.deployment import Deployment, settle
from tests.support.web.site import Site

INTERRUPTED_AGAIN_AND_AGAIN = """
import signal

import click

from api.cli.terminal.standard_output import name_faults_of_output

class Interrupted(Exception):
    pass

is_armed = False

def interrupt(*_):
    global is_armed
    if is_armed:
        is_armed = False
        raise Interrupted

signal.signal(signal.SIGALRM, interrupt)
name_faults_of_output()
for number in range(20_000):
    try:
        is_armed = True
        signal.setitimer(signal.ITIMER_REAL, (1 + number % 200) / 1_000_000)
        click.echo(number)
        is_armed = False
    except Interrupted:
        pass
signal.setitimer(signal.ITIMER_REAL, 0)
"""
COMMANDS = [["jobs"], ["status"], ["export", "-"]]
"""A table, a few lines, and a stream of bytes."""


@pytest.fixture
def shell(sqlite: Deployment, tmp_path: Path) -> Shell:
    """A shell beside a store with a job."""
    site = Site(sqlite)
    site.register()
    site.report(status="provisioning", step="vm_created")
    settle(sqlite)
    return beside(sqlite, tmp_path)


def ended(shell: Shell, command: list[str], output: int) -> tuple[int, str]:
    """Run a command with this standard output; return its exit status and its stderr."""
    given = {name: value for name, value in shell.environment.items() if value is not None}
    done = subprocess.run(
        [sys.executable, "-c", "from api.cli import run; run()", *command],
        env={**os.environ, **given},
        stdout=output,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=60,
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize("command", [*COMMANDS, ["--help"]], ids=" ".join)
def test_a_reader_that_has_seen_enough_is_no_failure(shell: Shell, command: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)

    try:
        status, errors = ended(shell, command, writing)
    finally:
        os.close(writing)

    assert (status, errors) == (0, "")


@pytest.mark.parametrize("command", [*COMMANDS, ["--help"], ["jobs", "--help"]], ids=" ".join)
def test_a_full_disk_is_said_in_a_line(shell: Shell, command: list[str]) -> None:
    with Path("/dev/full").open("wb") as full:
        status, errors = ended(shell, command, full.fileno())

    assert status == 1
    assert errors == "Error: the output cannot be written: No space left on device\n"


def test_a_full_disk_of_another_file_is_not_taken_for_the_output() -> None:
    @click.command()
    def write() -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "home/milepost.db")

    done = CliRunner().invoke(OneLineErrors(commands=[write]), ["write"])

    assert done.exit_code == 1
    assert done.stderr == "Error: home/milepost.db cannot be used: No space left on device\n"


def test_an_interruption_writes_no_line_twice() -> None:
    """Ctrl-C can come while a line is written, at any step of it."""
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_AGAIN_AND_AGAIN],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    numbers = [int(line) for line in done.stdout.splitlines()]
    assert numbers == sorted(set(numbers))
    assert len(numbers) > 1_000
