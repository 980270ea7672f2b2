"""`milepost export`: a file that is whole and says what it is, or none."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from api.cli.moving.export import FORMATS
from api.cli.moving.export_file import write
from domain.evidence.signing_keys import PrivateKey
from domain.transfer.exporting import Export, Selection
from domain.transfer.manifest import loaded
from domain.workflows.definition import Workflows
from tests.support.jobs.lives import live
from tests.support.people.shell import Shell, beside
from tests.support.processes.server import MILEPOST
from tests.support.stores.deployment import NOON, Clock, Deployment, store_env
from tests.support.stores.sealing import CIPHER

EVENTS = 15


@pytest.fixture
def lived(databases: Deployment) -> Deployment:
    """A database in which things have happened."""
    assert live(databases) == EVENTS
    return databases


@pytest.fixture
def shell(lived: Deployment, tmp_path: Path) -> Shell:
    """A shell beside it."""
    return beside(lived, tmp_path)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the export goes."""
    folder = tmp_path / "exports"
    folder.mkdir()
    return folder / "log.jsonl"


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def manifest_of(path: Path) -> dict[str, Any]:
    found = json.loads(path.with_name(f"{path.name}.manifest.json").read_bytes())
    assert isinstance(found, dict)
    return found


def test_a_file_has_every_event_and_a_manifest_beside_it(shell: Shell, file: Path) -> None:
    said = shell("export", str(file))

    assert [line["position"] for line in lines(file)] == list(range(1, EVENTS + 1))
    told = manifest_of(file)
    assert (told["events"], told["jobs"], told["complete"]) == (EVENTS, 4, True)
    assert told["length"] == file.stat().st_size
    assert told["sha256"] == sha256(file.read_bytes()).hexdigest()
    assert loaded(file.with_name("log.jsonl.manifest.json").read_bytes()).merkle
    assert "15 events of 4 jobs, the whole log" in said
    assert sorted(path.name for path in file.parent.iterdir()) == [
        "log.jsonl",
        "log.jsonl.manifest.json",
    ]


def test_only_its_user_can_read_it(shell: Shell, file: Path) -> None:
    shell("export", str(file))

    modes = {path.name: path.stat().st_mode & 0o777 for path in file.parent.iterdir()}
    assert modes == dict.fromkeys((file.name, f"{file.name}.manifest.json"), 0o600)


def test_standard_output_gets_the_same_bytes(shell: Shell, file: Path, tmp_path: Path) -> None:
    shell("export", str(file))

    for arguments in (["export"], ["export", "-"]):
        assert shell.run(*arguments).stdout_bytes == file.read_bytes()
    shell("export", "--manifest", str(tmp_path / "told"))
    told = json.loads((tmp_path / "told").read_bytes())
    assert told["sha256"] == sha256(file.read_bytes()).hexdigest()


def test_an_unsigned_export_says_so(shell: Shell, file: Path) -> None:
    assert "Not signed" in shell.run("export", str(file)).stderr

    assert (manifest_of(file)["signed"], manifest_of(file)["note"]) == (False, None)


def test_a_configured_key_signs(lived: Deployment, file: Path) -> None:
    key = PrivateKey.generate("milepost.example")
    milepost, manifest = lived.milepost, file.with_name("manifest")
    taken = Export(milepost.store, milepost.mapper, Selection(), EVENTS)

    made = write(taken, FORMATS["jsonl"](""), file, manifest, [key], NOON)

    assert made.signed
    assert loaded(manifest.read_bytes(), [key.public]) == made


def test_a_report_for_a_program(shell: Shell, file: Path) -> None:
    told = shell.json("export", str(file))

    assert told.pop("file") == str(file)
    assert told.pop("manifest") == f"{file}.manifest.json"
    assert {**told, "note": None} == manifest_of(file)


@pytest.mark.parametrize(
    ("options", "positions"),
    [
        (["--job", "plain"], [4, 5, 10, 11, 12]),
        (["--user", "ada"], [1, 2, 3, 6, 7, 8, 9]),
        (["--from-position", "14"], [14, 15]),
        (["--to-position", "2"], [1, 2]),
        (
            ["--since", "2026-03-02T12:00:06Z", "--until", "2026-03-02T13:00:07+01:00"],
            [10, 11, 12],
        ),
        (["--since", "2099-01-01T00:00:00Z"], []),
    ],
)
def test_a_part_of_the_log_says_that_it_is_one(
    shell: Shell,
    file: Path,
    options: list[str],
    positions: list[int],
) -> None:
    said = shell("export", str(file), *options)

    assert [line["position"] for line in lines(file)] == positions
    assert "a part of the log" in said
    told = manifest_of(file)
    assert (told["complete"], told["merkle"], len(told["filters"])) == (
        False,
        None,
        len(options) // 2,
    )


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_has_a_manifest(shell: Shell, file: Path, name: str) -> None:
    shell("export", str(file), "--format", name)

    told = manifest_of(file)
    assert (told["format"], told["events"]) == (name, EVENTS)
    assert told["sha256"] == sha256(file.read_bytes()).hexdigest()
    assert told["merkle"] is not None


def test_a_job_nobody_heard_of_is_not_exported(shell: Shell, file: Path) -> None:
    said = shell.fails("export", str(file), "--job", "nobody")

    assert said == "Error: There is no job 'nobody'.\n"
    assert not file.exists()


def test_cells_that_workflows_wrote_are_no_formulas(shell: Shell) -> None:
    said = shell("export", "--format", "csv")

    assert "'=HYPERLINK" in said
    assert ",=HYPERLINK" not in said


def test_cloudevents_have_the_source_that_is_asked_for(shell: Shell) -> None:
    said = shell("export", "--format", "cloudevents-batch", "--source", "https://a.example/log")

    assert {event["source"] for event in json.loads(said)} == {"https://a.example/log"}


def test_what_is_there_is_replaced_only_by_force(shell: Shell, file: Path) -> None:
    file.write_text("precious")

    assert "log.jsonl exists already; replace it with --force" in shell.fails("export", str(file))
    assert file.read_text() == "precious"
    shell("export", str(file), "--force")
    assert len(lines(file)) == EVENTS
    file.unlink()
    assert "manifest.json exists already" in shell.fails("export", str(file))


def test_a_failed_export_replaces_nothing_and_leaves_nothing(
    lived: Deployment, file: Path, request: pytest.FixtureRequest
) -> None:
    """The old file and its manifest go on belonging together."""
    file.write_text("old")
    manifest = file.with_name("log.jsonl.manifest.json")
    manifest.write_text("told")
    milepost = lived.milepost
    other = Deployment(store_env("memory", request) | CIPHER, lived.workflows, lived.clock)
    taken = Export(milepost.store, other.milepost.mapper, Selection(), EVENTS)

    with pytest.raises(Exception, match="cannot be opened"):
        write(taken, FORMATS["jsonl"](""), file, manifest, [], NOON)

    assert (file.read_text(), manifest.read_text()) == ("old", "told")
    assert len(list(file.parent.iterdir())) == 2


def test_only_files_are_replaced(shell: Shell, tmp_path: Path) -> None:
    """Not devices, pipes or folders, even by force."""
    os.mkfifo(tmp_path / "pipe")

    for path in ("/dev/null", str(tmp_path), str(tmp_path / "pipe")):
        assert "is not a file" in shell.fails(
            "export", path, "--force", "--manifest", f"{tmp_path}/m"
        )
    assert not Path("/dev/null").is_file()


def test_where_nothing_can_be_written_that_is_said(shell: Shell, tmp_path: Path) -> None:
    assert "no folder" in shell.fails("export", str(tmp_path / "nowhere" / "log.jsonl"))
    assert "cannot be written" in shell.fails("export", str(tmp_path / ("x" * 300)))


@pytest.mark.parametrize(
    "arguments",
    [
        ["--format", "xml"],
        ["--since", "yesterday"],
        ["--since", "2026-03-02T12:00:00"],
        ["--since", "2026-03-02T12:00:00Z", "--until", "2026-03-02T12:00:00Z"],
        ["--from-position", "0"],
        ["--from-position", "3", "--to-position", "2"],
        ["--sealed", "--format", "csv"],
        ["--source", "not a uri"],
        ["--json"],
    ],
)
def test_wrong_usage_is_told_before_anything_is_written(shell: Shell, arguments: list[str]) -> None:
    result = shell.run("export", *arguments)

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("Usage: ")


def test_an_empty_log_is_a_whole_export(empty: Shell, file: Path) -> None:
    empty("init-db")

    assert "0 events of 0 jobs, the whole log" in empty("export", str(file))
    assert file.read_bytes() == b""


def test_where_there_is_no_database_none_is_made(empty: Shell, file: Path) -> None:
    assert "there is no database at " in empty.fails("export", str(file))

    assert list(file.parent.iterdir()) == []


def test_decrypted_is_said_plainly(
    request: pytest.FixtureRequest, workflows: Workflows, clock: Clock, tmp_path: Path
) -> None:
    """On stderr and in the manifest; and what is sealed shows nothing."""
    made = Deployment(store_env("sqlite", request) | CIPHER, workflows, clock)
    live(made)
    made.close()
    shell, plain, sealed = beside(made, tmp_path, **CIPHER), tmp_path / "plain", tmp_path / "sealed"

    assert "Decrypted: " in shell.run("export", str(plain)).stderr
    assert "Decrypted: " not in shell.run("export", str(sealed), "--sealed").stderr

    assert [manifest_of(path)["decrypted"] for path in (plain, sealed)] == [True, False]
    assert manifest_of(plain)["merkle"] == manifest_of(sealed)["merkle"]
    assert b"HYPERLINK" in plain.read_bytes()
    assert b"HYPERLINK" not in sealed.read_bytes()


def test_a_terminal_gets_no_export(shell: Shell) -> None:
    """What workflows sent would steer it."""
    given = {name: value for name, value in shell.environment.items() if value is not None}
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [str(MILEPOST), "export"],
        env={**os.environ, **given},
        stdout=theirs,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(theirs)
    os.close(ours)

    assert done.returncode == 2
    assert b"not for a terminal" in done.stderr
