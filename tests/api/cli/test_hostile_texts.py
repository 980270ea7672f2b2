"""Whatever senders wrote, no command gives a terminal a character that it would obey."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from io import StringIO

import pytest

from api.cli import main
from api.serving.logs import VisibleFormatter
from domain.unseen import UNSEEN
from tests.support.people.shell import Shell
from tests.support.stores.deployment import settle
from tests.support.web.site import MACHINE, Site

HOSTILE = "x\x9b31m\u202egpj\u2028z\u200by"
OTHER_BYTES = b"job-\xff".decode(errors="surrogateescape")
JOB = f"job{HOSTILE}"


@pytest.fixture
def lived(database_site: Site, shell: Shell) -> Shell:
    """A shell beside a job with hostile texts in every field that has text."""
    database_site.register(JOB, f"agent{HOSTILE}", f"user{HOSTILE}", region=f"region{HOSTILE}")
    machine = {name: value + HOSTILE for name, value in MACHINE.items()}
    database_site.report(JOB, status="provisioning", workflow_run_id=f"run{HOSTILE}")
    database_site.report(JOB, status="provisioning", step=f"step{HOSTILE}", **{HOSTILE: HOSTILE})
    error = f"boom {HOSTILE}\x1b[2J\nnext\x07"
    database_site.report(JOB, status="failed", error=error, failed_step=f"f{HOSTILE}", **machine)
    database_site.callback({"job_id": JOB, "status": f"gone{HOSTILE}"})
    database_site.token("read", name=f"token{HOSTILE}", user_id=f"user{HOSTILE}")
    settle(database_site.deployment)
    return shell


def unseen_in(output: str) -> list[str]:
    return [found[0] for found in UNSEEN.finditer(output) if found[0] != "\n"]


FOR_PEOPLE = (
    ("status",),
    ("jobs",),
    ("jobs", JOB),
    ("jobs", "--attention"),
    ("jobs", "--agent", f"agent{HOSTILE}"),
    ("jobs", f"no{HOSTILE}"),
    ("jobs", "--status", HOSTILE),
    ("audit", JOB),
    ("audit", f"no{HOSTILE}"),
    ("audit", JOB, "--at", HOSTILE),
    ("audit", JOB, "--kind", HOSTILE),
    ("replay", JOB),
    ("verify",),
    ("verify", "--job", JOB),
    ("verify", "--checkpoint", f"/nowhere/{HOSTILE}"),
    ("rebuild", "--dry-run"),
    ("tokens", "list"),
    ("tokens", "revoke", HOSTILE),
    ("stop", JOB),
    ("stopped", JOB, "--server", f"other{HOSTILE}"),
    ("retry", JOB, "--by", f"me{HOSTILE}"),
    ("cancel", JOB),
    ("fail", JOB),
    ("export", f"/nowhere/{HOSTILE}"),
    ("import", f"/nowhere/{HOSTILE}"),
    ("workflows", "show", HOSTILE),
    ("workflows", "check", f"/nowhere/{HOSTILE}"),
    (HOSTILE,),
    ("jobs", f"--{HOSTILE}"),
)


def test_people_see_every_character(lived: Shell) -> None:
    for command in FOR_PEOPLE:
        result = lived.run(*command)

        assert isinstance(result.exception, SystemExit | None), (command, result.exception)
        assert unseen_in(result.output) == [], command


FOR_PROGRAMS = (
    ("jobs",),
    ("jobs", JOB),
    ("jobs", "--attention"),
    ("audit", JOB),
    ("tokens", "list"),
    ("verify",),
    ("stopped", JOB),
)


def test_programs_read_the_exact_text_from_json(lived: Shell) -> None:
    for command in FOR_PROGRAMS:
        result = lived.run(*command, "--json")

        assert unseen_in(result.stdout) == [], command
        read = [json.loads(line) for line in result.stdout.splitlines()]
        if command[0] in ("jobs", "stopped"):
            assert read[0]["id"] == JOB
        if command[0] == "tokens":
            assert read[0]["name"] == f"token{HOSTILE}"


# Bytes that are no text


@pytest.mark.parametrize("command", [*sorted(main.commands), ""])
@pytest.mark.parametrize("before", [(), ("--job",)])
def test_an_argument_that_is_not_utf_8_is_refused_in_one_line(
    empty: Shell, command: str, before: tuple[str, ...]
) -> None:
    result = empty.run(*filter(None, [command]), *before, OTHER_BYTES)

    assert result.exit_code == 2
    assert result.stderr == r"Error: the argument job-\udcff is not UTF-8" + "\n"


def test_a_variable_that_is_not_utf_8_is_refused_in_one_line() -> None:
    shell = Shell(MILEPOST_HOME=OTHER_BYTES)

    assert shell.fails("jobs") == "Error: MILEPOST_HOME: must be UTF-8\n"


def test_an_account_that_is_not_utf_8_is_refused(lived: Shell) -> None:
    account = Shell(**{k: v for k, v in lived.environment.items() if v}, LOGNAME=OTHER_BYTES)

    result = account.run("fail", JOB)

    assert result.exit_code == 2
    assert "--by" in result.stderr


def test_a_terminal_that_lacks_a_character_gets_it_escaped(lived: Shell) -> None:
    given = {name: value for name, value in lived.environment.items() if value is not None}
    run = [sys.executable, "-m", "milepost"]
    environment = {**os.environ, **given, "PYTHONIOENCODING": "ascii"}

    shown = subprocess.run([*run, "jobs", JOB], env=environment, capture_output=True, check=True)
    read = subprocess.run(
        [*run, "jobs", JOB, "--json"], env=environment, capture_output=True, check=True
    )

    assert rb"\u2713" in shown.stdout
    assert json.loads(read.stdout)["id"] == JOB


# Logs


def test_a_message_of_the_log_is_one_line_without_unseen_characters() -> None:
    output = StringIO()
    handler = logging.StreamHandler(output)
    handler.setFormatter(VisibleFormatter("%(levelname)s %(message)s"))
    log = logging.Logger("of a test")
    log.addHandler(handler)

    log.warning("refused: %s", f"a\nERROR forged{HOSTILE}")
    log.error("failed", exc_info=ValueError(HOSTILE))

    lines = output.getvalue().splitlines()
    assert lines[0].startswith(r"WARNING refused: a\nERROR forgedx\x9b31m\u202egpj")
    assert lines[-1] == r"ValueError: x\x9b31m\u202egpj\u2028z\u200by"
    assert unseen_in(output.getvalue()) == []


# Numbers


@pytest.mark.parametrize("number", [2**62 + 1, 2**63, 10**30])
@pytest.mark.parametrize(
    "command",
    [
        ("audit", JOB, "--version"),
        ("audit", JOB, "--attempt"),
        ("replay", JOB, "--attempt"),
        ("export", "-", "--from-position"),
        ("export", "-", "--to-position"),
        ("jobs", "--limit"),
    ],
    ids=" ".join,
)
def test_a_number_that_no_database_has_is_wrong_usage(
    empty: Shell, command: tuple[str, ...], number: int
) -> None:
    result = empty.run(*command, str(number))

    assert result.exit_code == 2
    assert "is not in the range" in result.stderr
