"""The examples for shells: getting the program, plain scripts, GitLab, cloud-init, no Python."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.clients.reporter.gate import Gate, silent
from tests.docs.senders.page import REPORTER, example, examples
from tests.docs.senders.workplace import Workplace
from tests.support.processes.server import TOKEN, Server

EXAMPLE = "https://milepost.example"
LISTED = "/api/jobs?agent_id=agent-2"
STEPS = ["ansible_started", "ansible_complete"]


def test_the_program_is_downloaded_checked_and_put_into_the_repository(
    workplace: Workplace,
) -> None:
    (workplace.folder / "milepost-report").unlink()
    workplace.run("git init --quiet")

    done = workplace.run(
        "set -e\n" + example("Get it", "sh").replace(EXAMPLE, workplace.milepost.url)
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "milepost-report: OK\n"
    assert workplace.run("git ls-files --stage").stdout.startswith("100755 ")
    assert workplace.run("./milepost-report check").returncode == 0
    digest = hashlib.sha256(REPORTER.read_bytes()).hexdigest()
    assert digest in workplace.run("./milepost-report --version").stdout


def test_a_job_is_registered_at_a_terminal_and_reports(workplace: Workplace) -> None:
    script = example("Try it at a terminal", "sh").replace(EXAMPLE, workplace.milepost.url)

    done = workplace.run(f"set -e\n{script}", ADMIN_TOKEN=TOKEN)

    assert done.returncode == 0, done.stderr
    assert "takes the key" in done.stdout
    workplace.milepost.until(
        lambda: (
            [job["status"] for job in workplace.milepost.get(LISTED).body["jobs"]] == ["running"]
        ),
        "does not show the job as running",
    )


@pytest.mark.parametrize(("status", "shown"), [(0, "running"), (5, "failed")])
def test_a_script_reports_what_it_reaches_and_how_it_ends(
    workplace: Workplace, status: int, shown: str
) -> None:
    whole, inner = examples("A shell script", "bash")
    workplace.program("make", f"exit {status}")
    workplace.program("provision.sh", inner)

    done = workplace.run(whole)

    assert (done.returncode, done.stderr) == (status, "")
    assert workplace.shown["status"] == shown
    assert workplace.shown["server_id"] == "srv-1"
    reached = "ansible_started" if status else None
    assert workplace.shown["failed_at_step"] == reached
    steps = [each for each in workplace.said() if each not in ("provisioning", "None")]
    assert steps[:2] == ["vm_created", "ansible_started"]


def test_a_workflow_that_removes_the_machine_reports_its_end(workplace: Workplace) -> None:
    workplace.program("destroy-machine")
    workplace.run("milepost-report status running --server-id srv-1", MILEPOST_RUN_ID="7")
    assert workplace.shown["status"] == "running"

    workplace.run(example("A workflow that removes the machine", "bash"), MILEPOST_RUN_ID="9")

    assert workplace.shown["status"] == "stopped"
    assert workplace.shown["workflow_run_id"] == "7"


@pytest.mark.parametrize(
    ("failing", "ci_status", "outcome"),
    [("", "success", "running"), ("configure", "failed", "failed"), ("", "canceled", "cancelled")],
)
def test_a_gitlab_job_reports_its_end(
    workplace: Workplace, failing: str, ci_status: str, outcome: str
) -> None:
    job = yaml.safe_load(example("GitLab CI", "yaml"))["provision"]
    for program in ("create-machine", "configure"):
        workplace.program(program, f"exit {int(program == failing)}")
    key = workplace.folder / "key"
    key.write_text(workplace.env.pop("MILEPOST_CALLBACK_KEY"), encoding="utf-8")
    gitlab = {"CI_PIPELINE_ID": "88", "MILEPOST_CALLBACK_KEY_FILE": str(key)}

    script = workplace.run("set -e\n" + "\n".join(job["script"]), **gitlab)
    after = workplace.run("\n".join(job["after_script"]), **gitlab, CI_JOB_STATUS=ci_status)

    assert (bool(script.returncode), after.returncode) == (bool(failing), 0)
    assert workplace.shown["outcome"] == outcome
    assert workplace.shown["workflow_run_id"] == "88"


def cloud_init(workplace: Workplace) -> str:
    """Return the script of the example, with its files in the folder of the test."""
    config = yaml.safe_load(example("cloud-init", "yaml"))
    files = {each["path"]: each["content"] for each in config["write_files"]}
    [command] = config["runcmd"]
    workplace.program("install-agent")
    key = workplace.folder / "milepost-key"
    key.write_text(workplace.env.pop("MILEPOST_CALLBACK_KEY"), encoding="utf-8")
    script: str = files[command]
    for old, new in (
        (f"{EXAMPLE}/api/callbacks/job-1", workplace.env.pop("MILEPOST_CALLBACK_URL")),
        (EXAMPLE, workplace.milepost.url),
        ("/etc/milepost-key", str(key)),
        ("/usr/local/bin/", f"{workplace.folder}/"),
        ("/usr/local/sbin/", f"{workplace.folder}/"),
        ("the-SHA-256-of-the-program", hashlib.sha256(REPORTER.read_bytes()).hexdigest()),
    ):
        assert old in script
        script = script.replace(old, new)
    (workplace.folder / "milepost-report").unlink()
    return script


def test_a_machine_reports_on_itself_when_it_boots(workplace: Workplace) -> None:
    del workplace.env["HOME"]  # as in cloud-init
    script = cloud_init(workplace)

    done = workplace.run(script, "sh", TMPDIR=str(workplace.folder))

    assert (done.returncode, done.stderr) == (0, "")
    assert workplace.said() == [*STEPS, "running"]
    assert workplace.shown["status"] == "running"


@pytest.mark.parametrize("wrong", ["url", "sum"])
def test_a_machine_boots_without_the_program_too(workplace: Workplace, wrong: str) -> None:
    script = cloud_init(workplace)
    workplace.program("install-agent", f"echo installed > {workplace.folder}/installed")
    url, digest = workplace.milepost.url, hashlib.sha256(REPORTER.read_bytes()).hexdigest()
    for old, new in ((f"{url}/milepost-report", "http://127.0.0.1:1/"), (digest, "0" * 64)):
        script = script.replace(old, new) if (wrong == "url") == (old != digest) else script

    done = workplace.run(script, "sh")

    assert done.returncode == 0
    assert (workplace.folder / "installed").exists()
    assert workplace.said() == []


@pytest.fixture
def gate(milepost: Server) -> Iterator[Gate]:
    """An open gate before the server."""
    made = Gate(milepost.port)
    yield made
    made.close()


RECORDING = 'printf "%s\\n" "$0 $*" >> "$HOME/arguments"; exec {program} "$@"'


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_a_shell_without_python_signs_as_milepost_wants_and_shows_no_key(
    workplace: Workplace, shell: str
) -> None:
    script = example("Without Python", "sh")
    where = workplace.run("command -v curl openssl awk od cat").stdout.split()
    for program in map(Path, where):
        workplace.program(program.name, RECORDING.format(program=program))

    done = workplace.run(f"set -eu\n{script}", shell, MILEPOST_RUN_ID="run-1")

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert workplace.said() == ["provisioning", "vm_created", "running"]
    arguments = (workplace.folder / "arguments").read_text(encoding="utf-8")
    assert "webhook-signature" in arguments
    assert workplace.registered["callback_key"].removeprefix("whsec_") not in arguments


def test_a_shell_without_python_hangs_at_no_silent_server_and_fails_for_none(
    workplace: Workplace, gate: Gate
) -> None:
    """It comes to its end while the server is still silent."""
    gate.way = silent
    url = f"http://127.0.0.1:{gate.port}/api/callbacks/{workplace.id}"
    for each in (url, "http://127.0.0.1:1/api/callbacks"):
        done = workplace.run(
            f"set -eu\n{example('Without Python', 'sh')}",
            "sh",
            MILEPOST_CALLBACK_URL=each,
            MILEPOST_RUN_ID="run-1",
        )
        assert done.returncode == 0
        assert done.stdout == ""
