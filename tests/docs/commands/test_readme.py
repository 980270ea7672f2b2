"""The README's commands, run as they stand there."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from domain.job.callback import STATUSES
from tests.support.processes.lacking import lacking
from tests.support.processes.server import MILEPOST, PATIENCE_SECONDS, Make, Server

ROOT = Path(__file__).parents[3]
README = (ROOT / "README.md").read_text(encoding="utf-8")
URL = "http://127.0.0.1:8000"


@pytest.fixture
def first_start(make_server: Make) -> Server:
    """A server as `make run` starts it: nothing configured, in an empty folder."""
    server = make_server()
    for name in list(server.env):
        if name.startswith("MILEPOST_"):
            del server.env[name]
    (server.home / "domain").symlink_to(ROOT / "domain")
    return server.start()


def commands(page: str = "README.md") -> list[str]:
    """Every block of shell commands of a page but the one that makes things."""
    text = (ROOT / page).read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [block for block in blocks if not block.startswith("make ")]


def test_the_first_command_is_a_door_of_the_makefile() -> None:
    first = re.search(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL)

    assert first is not None
    assert first[1] == "make run\n"
    assert "\nrun: " in (ROOT / "Makefile").read_text(encoding="utf-8")


def test_the_commands_pasted_one_after_the_other_show_what_the_readme_says(
    first_start: Server,
) -> None:
    """Those of the tour and of the page on definitions go on where the README ends."""
    missing = [tool for tool in ("bash", "curl", "openssl") if shutil.which(tool) is None]
    if missing:
        lacking(f"the README's commands need {', '.join(missing)}")
    tour = commands("docs/tour.md")
    forging = [block for block in tour if "$TOUR" in block]
    before = {path.name for path in first_start.home.iterdir()} | {".milepost"}
    blocks = [*commands(), *tour, *forging, *commands("docs/reference/workflows.md")]
    script = "\n".join(blocks).replace("milepost demo", f"milepost demo --url {URL} --speed 50")
    script = script.replace("127.0.0.1:8000", f"127.0.0.1:{first_start.port}")
    script = script.replace(".venv/bin/milepost", str(MILEPOST))

    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],  # noqa: S607
        cwd=first_start.home,
        env=first_start.env,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "\nLook next:\n" in done.stdout
    answers = [json.loads(line) for line in done.stdout.splitlines() if line[:1] == "{"]
    [receipt] = (answer for answer in answers if "received" in answer)
    shown_receipt = re.search(r'^\{"received".*\}$', README, re.MULTILINE)
    assert shown_receipt is not None
    assert {**json.loads(shown_receipt[0]), "position": receipt["position"]} == receipt
    [shown] = (answer for answer in answers if "instance" in answer)
    for step in shown["steps"]:
        assert json.dumps(step, separators=(",", ":")) in README
    assert done.stdout.count("4 jobs, as of") == 4
    assert done.stdout.count("no findings") == 2, "the tour may be repeated"
    assert done.stdout.count("1 finding.") == 2, done.stderr
    assert re.search(r"^checkpoint position \d+: expected \d+ events", done.stdout, re.MULTILINE)
    assert done.stdout.splitlines().count("Found out.") == 2
    assert "vm@1 is fine" in done.stdout
    assert "mp_" in done.stdout
    assert {path.name for path in first_start.home.iterdir()} == before, "the tour left files"


@pytest.mark.parametrize("key", ["of every job", "of the job"])
def test_the_workflow_of_the_readme_reports_its_run(first_start: Server, key: str) -> None:
    [script] = re.findall(r"^```bash\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    folder = first_start.home
    shutil.copy(ROOT / "clients" / "reporter" / "milepost_report.py", folder / "milepost-report")
    (folder / "ansible-playbook").write_text("#!/bin/sh\n")
    (folder / "ansible-playbook").chmod(0o755)
    home = folder / ".milepost"
    token = (home / "admin-token").read_text(encoding="utf-8").strip()
    registration = {"job_id": "job-1", "agent_id": "agent-1"}
    admin = f"Bearer {token}"
    job = first_start.post("/api/jobs", registration, Authorization=admin).body
    secrets = {
        "of every job": {
            "MILEPOST_CALLBACK_KEY_FILE": str(home / "callback-secret"),
            "MILEPOST_CALLBACK_URL": f"{first_start.url}/api/webhooks/github",
            "MILEPOST_JOB_ID": "job-1",
        },
        "of the job": {
            "MILEPOST_CALLBACK_KEY": job["callback_key"],
            "MILEPOST_CALLBACK_URL": job["callback_url"],
        },
    }
    env = {
        "PATH": f"{folder}:{os.environ['PATH']}",
        "HOME": str(folder),
        "GITHUB_RUN_ID": "4711",
        "GITHUB_RUN_ATTEMPT": "2",
    }

    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],  # noqa: S607
        cwd=folder,
        env={**env, **secrets[key]},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    job = first_start.get("/api/jobs/job-1", token).body
    assert (job["status"], job["workflow_run_id"], job["run_attempt"]) == ("running", "4711", 2)
    assert (job["server_id"], job["server_ip"]) == ("srv-1", "203.0.113.7")
    events = first_start.get("/api/jobs/job-1/events", token).body["events"]
    assert [event["payload"].get("step") for event in events] == [
        None,
        None,
        "vm_created",
        "ansible_started",
        "ansible_complete",
        None,
    ]


@pytest.mark.parametrize("document", ["README.md", "docs/lifecycle.md"])
def test_every_status_of_a_callback_is_named(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")

    for status in STATUSES:
        assert f"`{status}`" in text or f'`"status": "{status}"`' in text, status
