"""`milepost verify`: lines for people and programs, and an exit status that says which it is."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import Result
from eventsourcing.persistence import StoredEvent

from api.cli.proving.verify import state_file
from api.settings.config import from_environment
from domain.evidence.signed_note import signed_note
from domain.evidence.signing_keys import PrivateKey
from domain.log.store import Append
from tests.support.people.shell import ESCAPE, Shell
from tests.support.processes.server import MILEPOST
from tests.support.stores.deployment import settle
from tests.support.stores.tampering import Database
from tests.support.web.site import SIGNER, Site

EDIT = "UPDATE milepost_events SET topic = 'MetadataReported' WHERE notification_id = 3"


@pytest.fixture
def auditor(shell: Shell) -> Shell:
    """A shell that trusts our key, and has no private one."""
    return Shell(
        **{name: value for name, value in shell.environment.items() if value is not None},
        MILEPOST_CHECKPOINT_TRUSTED=str(SIGNER.public),
    )


@pytest.fixture
def lived(database_site: Site) -> Site:
    """A site with some history, folded and hashed."""
    database_site.register()
    database_site.report(status="provisioning", step="vm_created")
    for _ in range(3):
        database_site.report(type="heartbeat")
    database_site.report("job-2", type="heartbeat")
    settle(database_site.deployment)
    return database_site


def lines(result: Result) -> list[Any]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def kept(site: Site, folder: Path, name: str = "kept") -> str:
    """Keep a checkpoint in a file."""
    (folder / name).write_text(site.get("/api/checkpoint").text)
    return str(folder / name)


def test_nothing_found_is_said_with_the_root(auditor: Shell, lived: Site) -> None:
    said = auditor("verify")

    assert "Verified 6 events of 2 jobs" in said
    assert "no findings" in said
    assert "Without a --checkpoint" in said
    [summary] = lines(auditor.run("verify", "--json"))
    assert summary["root"] in said
    assert (summary["kind"], summary["findings"], summary["tree_size"]) == ("summary", 0, 6)


def test_what_is_found_is_told_and_exits_with_1(auditor: Shell, lived: Site) -> None:
    Database(lived.deployment).run(EDIT)

    result = auditor.run("verify")

    assert result.exit_code == 1
    assert result.stderr == ""
    assert (
        "changed    position 3, job 'job-1', version 3: expected the topic Heart" in result.stdout
    )
    assert "1 finding." in result.stdout
    finding, summary = lines(auditor.run("verify", "--json"))
    assert finding == {
        "kind": "changed",
        "position": 3,
        "job_id": "job-1",
        "version": 3,
        "expected": "the topic HeartbeatReceived",
        "found": "the topic MetadataReported",
    }
    assert summary["findings"] == 1


def test_one_job_is_verified_alone(auditor: Shell, lived: Site, tmp_path: Path) -> None:
    file = kept(lived, tmp_path)
    Database(lived.deployment).run(EDIT)

    assert "Verified 1 event of job job-2" in auditor("verify", "--job", "job-2")
    auditor("verify", "--job", "job-2", "--checkpoint", file)
    assert auditor.run("verify", "--job", "job-1").exit_code == 1
    assert auditor.fails("verify", "--job", "nobody") == "Error: There is no job 'nobody'.\n"
    assert auditor.run("verify", "--job", "job-1", "--resume").exit_code == 2


def test_checkpoints_are_held_against_the_log(auditor: Shell, lived: Site, tmp_path: Path) -> None:
    first = kept(lived, tmp_path, "first")
    lived.report(type="heartbeat")
    settle(lived.deployment)
    second = kept(lived, tmp_path, "second")

    said = auditor("verify", "--checkpoint", first, "--checkpoint", second)
    assert "Checkpoints that the log extends: 2" in said
    assert "No --checkpoint" not in said

    Database(lived.deployment).run("DELETE FROM milepost_events WHERE notification_id = 7")
    result = auditor.run("verify", "--json", "--checkpoint", first, "--checkpoint", second)
    assert result.exit_code == 1
    [found] = [line for line in lines(result) if line["kind"] == "checkpoint"]
    assert found["position"] == 7
    assert "the first 6 events" in found["found"]


def test_a_checkpoint_is_read_from_standard_input(
    auditor: Shell, lived: Site, tmp_path: Path
) -> None:
    """As that of another host, which `ssh` or `curl` brings."""
    note = Path(kept(lived, tmp_path)).read_text()

    result = auditor.run("verify", "--checkpoint", "-", stdin=note)

    assert result.exit_code == 0, result.output
    assert "Checkpoints that the log extends: 1" in result.output
    for unusable in (b"", b"\xff"):
        result = auditor.run("verify", "--checkpoint", "-", stdin=unusable)
        assert result.exit_code == 1
        assert result.stderr.startswith("Error: standard input")
    twice = auditor.run("verify", "--checkpoint", "-", "--checkpoint", "-", stdin=note)
    assert twice.exit_code == 2
    assert "standard input has one checkpoint" in twice.stderr


def test_a_checkpoint_that_nobody_trusted_signed_is_refused(
    auditor: Shell,
    shell: Shell,
    lived: Site,
    tmp_path: Path,
) -> None:
    file = kept(lived, tmp_path)
    assert "trusted: none" in shell.fails("verify", "--checkpoint", file)
    note = Path(file).read_text()
    for name, text in (
        ("forged", note.replace("\n6\n", "\n5\n")),
        ("other", signed_note("other.example\n", [PrivateKey.generate("other.example")])),
        ("not ours", note.replace(SIGNER.name, "evil\x1b[2J.example")),
        ("empty", ""),
        ("latin", "\udcff"),
    ):
        (tmp_path / name).write_text(text, errors="surrogateescape")
        said = auditor.fails("verify", "--checkpoint", str(tmp_path / name))
        assert str(tmp_path / name) in said
        assert ESCAPE not in said
    assert "cannot be read" in auditor.fails("verify", "--checkpoint", str(tmp_path / "nowhere"))


def test_what_callbacks_and_intruders_say_does_not_steer_the_terminal(
    auditor: Shell, database_site: Site
) -> None:
    event = StoredEvent("evil\x1b[2J\njob", 7, "X\x1b]0;", b"{}")
    database_site.deployment.milepost.store.transact({}, [], lambda _: Append([event]))

    result = auditor.run("verify")

    assert result.exit_code == 1
    assert "evil" in result.stdout
    assert ESCAPE not in result.stdout
    assert all(
        line.startswith(("version", "Ver", "Root", "The", "Ev", "Without a --checkpoint"))
        for line in result.stdout.splitlines()
    )


def test_there_is_something_to_say_of_no_database(empty: Shell, tmp_path: Path) -> None:
    assert empty.fails("verify").startswith("Error: there is no database at ")
    assert not (tmp_path / "home").exists()
    empty("init-db")
    assert "Verified 0 events of 0 jobs" in empty("verify")


def test_ctrl_c_keeps_how_far_it_was(auditor: Shell, lived: Site, tmp_path: Path) -> None:
    """It is stopped while its findings wait to be read, so in the middle for sure."""
    rows = [
        StoredEvent("long", version, "HeartbeatReceived", b'{"recorded_at":"2026-03-02T12:00:00Z"}')
        for version in range(1, 2_001)
    ]
    lived.deployment.milepost.store.transact({}, [], lambda _: Append(rows))
    settle(lived.deployment)
    Database(lived.deployment).run(
        "UPDATE milepost_events SET topic = 'X' WHERE notification_id > 6"
    )
    env = {name: value for name, value in auditor.environment.items() if value is not None}
    process = subprocess.Popen(
        [str(MILEPOST), "verify", "--json"],
        env={**os.environ, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    first = json.loads(process.stdout.readline())
    assert first["kind"] == "changed"

    process.send_signal(signal.SIGINT)
    said = process.communicate()

    assert process.returncode == 130
    assert said[1] == "Stopped; milepost verify --resume continues.\n"
    file = stopped(auditor)
    other = file.with_name("verify-of-another-database.json")
    other.touch()
    assert file.stat().st_mode & 0o777 == 0o600
    resumed = auditor.run("verify", "--json", "--resume")
    summary = lines(resumed)[-1]
    assert resumed.exit_code == 1
    assert (summary["events"], summary["jobs"]) == (2_006, 3)
    assert summary["findings"] >= 2_000
    assert list(file.parent.glob("verify*.json")) == [other]
    assert "no stopped verification to resume" in auditor.fails("verify", "--resume")


def stopped(auditor: Shell) -> Path:
    """Return the file for the progress of the shell's database."""
    environment = {name: value for name, value in auditor.environment.items() if value}
    return state_file(from_environment(environment))


def test_each_database_has_its_own_stopped_verification(tmp_path: Path) -> None:
    """Servers over different databases may share a home."""
    urls = [f"sqlite:///{tmp_path}/a.db", f"sqlite:///{tmp_path}/b.db", "postgresql://host/a"]
    shells = [Shell(MILEPOST_HOME=str(tmp_path), MILEPOST_DATABASE_URL=url) for url in urls]

    files = {stopped(shell) for shell in shells}

    assert len(files) == 3
    assert {file.parent for file in files} == {tmp_path}


def test_only_the_same_verification_is_resumed(auditor: Shell, lived: Site, tmp_path: Path) -> None:
    verification = lived.services.verification([], print)
    database = lived.services.settings.shown_database
    state = verification.begin(database, lived.clock())
    (tmp_path / "home").mkdir(exist_ok=True)
    file = stopped(auditor)
    file.write_bytes(msgspec.json.encode(msgspec.structs.replace(state, asked=("elsewhere",))))
    assert "something else" in auditor.fails("verify", "--resume")
    file.write_text("{")
    assert "cannot be read" in auditor.fails("verify", "--resume")
