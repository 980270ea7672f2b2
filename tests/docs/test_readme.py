"""The README's commands, run as they stand there."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from api import settings
from domain.job.callback import STATUSES
from tests.support.server import MILEPOST, PATIENCE_SECONDS, Make, Server

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture
def first_start(make_server: Make) -> Server:
    """A server as `make run` starts it: nothing configured, in an empty folder."""
    server = make_server()
    for name in list(server.env):
        if name.startswith("MILEPOST_"):
            del server.env[name]
    (server.home / "domain").symlink_to(ROOT / "domain")
    return server.start()


def commands() -> list[str]:
    """Every block of shell commands but the two that make things."""
    blocks = re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    return [block for block in blocks if not block.startswith("make ")]


def test_the_two_commands_are_doors_of_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")

    for block in ("make run", "make test"):
        assert f"```sh\n{block}\n```" in README
        assert f"\n{block.removeprefix('make ')}: " in makefile


def test_the_commands_pasted_one_after_the_other_show_what_the_readme_says(
    first_start: Server,
) -> None:
    missing = [tool for tool in ("bash", "curl", "openssl") if shutil.which(tool) is None]
    if missing and "CI" not in os.environ:
        pytest.skip(f"the README's commands need {', '.join(missing)}")
    script = "\n".join(commands())
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
    receipt = re.search(r'^\{"received".*\}$', README, re.MULTILINE)
    assert receipt is not None
    answers = [json.loads(line) for line in done.stdout.splitlines() if line[:1] == "{"]
    assert json.loads(receipt[0]) in answers
    [shown] = (answer for answer in answers if "instance" in answer)
    for step in shown["steps"]:
        assert json.dumps(step, separators=(",", ":")) in README
    assert "1 job, as of" in done.stdout
    assert done.stdout.count("no findings") == 1
    assert "1 finding." in done.stdout, done.stderr
    assert "checkpoint position 2: expected 2 events" in done.stdout
    assert "Found out." in done.stdout.splitlines()
    assert "vm@1 is fine" in done.stdout
    assert "mp_" in done.stdout


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


def test_every_page_of_the_documentation_is_in_the_readme() -> None:
    for page in (ROOT / "docs").glob("*.md"):
        assert f"[docs/{page.name}](docs/{page.name}): " in README


def test_every_setting_is_in_the_readme() -> None:
    files = Path(settings.__file__).parent.glob("*.py")
    source = "\n".join(file.read_text(encoding="utf-8") for file in files)

    names = set(re.findall(r'"((?:MILEPOST|GITHUB|CIPHER|COMPRESSOR)_[A-Z_]+)"', source))
    assert {"MILEPOST_HOME", "MILEPOST_DATABASE_URL", "CIPHER_KEY"} <= names, "not in this room"
    for name in names:
        assert f"`{name}`" in README, name


def test_links_lead_somewhere() -> None:
    """A link names a file that is there, and a heading of it where it names one."""
    for document in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md")):
        # A link inside code is an example of one.
        text = re.sub(r"`[^`]*`", "", document.read_text(encoding="utf-8"))
        for target, heading in re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", text):
            path = document.parent / target if target else document
            assert path.exists(), f"{document.name}: {target}"
            assert not heading or heading in headings(path), f"{document.name}: {target}#{heading}"


def headings(document: Path) -> set[str]:
    """Return the names by which links lead to the document's headings, as GitHub makes them."""
    lines = re.findall(r"^#+ (.*)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", line.lower()).replace(" ", "-") for line in lines}
