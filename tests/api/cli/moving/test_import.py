"""`milepost import`: an empty database becomes the one that was exported, or stays empty."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from click.testing import CliRunner

from api.cli import main
from api.cli.moving.import_ import read
from domain.evidence.signing_keys import PrivateKey
from domain.transfer.jsonl import InvalidExport
from domain.transfer.manifest import dumped
from projections.tree.grower import Grower
from tests.support.jobs.lives import live
from tests.support.people.shell import beside
from tests.support.stores.deployment import Deployment, store_env
from tests.support.stores.manifest import MANIFEST
from tests.support.stores.moving import PAIRS, Move, moving
from tests.support.stores.tampering import Database

EVENTS = 15


@pytest.fixture(params=PAIRS)
def move(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Move]:
    """A way from each kind of database to the other; the old one is exported."""
    with moving(request, tmp_path) as made:
        assert live(made.old) == EVENTS
        made.export()
        yield made


def count(made: Deployment) -> int:
    return len(made.milepost.store.events(0, 1000))


def refused(move: Move, *options: str) -> str:
    """Try to import; return what is said, once it is seen that nothing is kept."""
    said = move.at(move.new).fails("import", str(move.file), *options)
    assert count(move.new) == 0
    return said


def test_it_says_what_it_took_in(move: Move) -> None:
    said = move.take_in()

    assert "Imported 15 events of 4 jobs, up to position 15." in said
    assert json.loads(move.manifest.read_bytes())["merkle"]["size"] == EVENTS
    assert "Merkle root of 15: " in said
    assert "projector" in said


def test_a_report_for_a_program(move: Move) -> None:
    told = move.at(move.new).json("import", str(move.file))

    merkle = json.loads(move.manifest.read_bytes())["merkle"]
    assert told == {
        "events": EVENTS,
        "jobs": 4,
        "last_position": 15,
        "unread": 0,
        "merkle": merkle,
        "checked": True,
    }


def test_a_database_with_events_stays_as_it_is(move: Move) -> None:
    move.take_in()

    said = move.at(move.new).fails("import", str(move.file))

    assert said == "Error: The store has 15 events already; only an empty one can be filled.\n"
    assert count(move.new) == EVENTS


def test_a_projector_of_a_sqlite_file_hears_the_bell(
    memory: Deployment, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """PostgreSQL tells it by itself."""
    new = Deployment(store_env("sqlite", request), memory.workflows, memory.clock)
    (tmp_path / "log.jsonl").write_bytes(b"")
    with new.read_model.projector_lock() as wake_ups:
        assert wake_ups
        waiting = Thread(target=wake_ups.wait, args=(60,))
        waiting.start()

        beside(new, tmp_path)("import", str(tmp_path / "log.jsonl"), "--no-manifest")

        waiting.join(30)
        assert not waiting.is_alive()
    new.close()


def test_a_read_model_that_is_ahead_of_no_events_is_noticed(move: Move) -> None:
    """As after deleting events by hand: the projector would pass the new ones over."""
    move.take_in()
    move.new.projector.catch_up()
    recorder: Any = move.new.milepost.recorder
    with recorder.datastore.transaction(commit=True) as cursor:
        cursor.execute("DELETE FROM milepost_events")

    assert "the read model is at position 15 already" in refused(move)


def test_a_tree_that_has_hashes_of_no_events_is_noticed(move: Move) -> None:
    """It would stop at once, since the log does not have what was hashed."""
    move.take_in()
    Grower(move.new.tree).catch_up()
    Database(move.new).run("DELETE FROM milepost_events")

    assert "the tree has 15 events already" in refused(move)


def test_without_its_manifest_a_file_is_taken_only_when_told_to(move: Move) -> None:
    move.manifest.unlink()

    assert "--no-manifest" in refused(move)
    result = move.at(move.new).run("import", str(move.file), "--no-manifest", "--json")
    assert result.exit_code == 0
    assert "Without a manifest, the import cannot check that the file is whole" in result.stderr
    assert json.loads(result.stdout)["checked"] is False


def test_the_manifest_may_be_elsewhere(move: Move, tmp_path: Path) -> None:
    move.manifest.rename(tmp_path / "elsewhere")

    assert "cannot be read" in refused(move)
    move.take_in("--manifest", str(tmp_path / "elsewhere"))
    assert count(move.new) == EVENTS


def test_standard_input_is_a_file_too(move: Move) -> None:
    environment = move.at(move.new).environment
    arguments = ["import", "-", "--manifest", str(move.manifest)]

    result = CliRunner().invoke(main, arguments, input=move.file.read_bytes(), env=environment)

    assert result.exit_code == 0, result.output
    assert count(move.new) == EVENTS


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda text: text[:-200], "it has no end"),
        (lambda text: text + "\n", "Line 16: "),
        (
            lambda text: text.replace(
                '"job_id":"plain","version":2', '"job_id":"plain","version":3'
            ),
            "Line 5: version 3 of job 'plain' comes where 2 should",
        ),
        (lambda text: text.replace("vm_created", "VM_created"), "not the one of its manifest"),
        (lambda text: text[text.index("\n") + 1 :], "Line 1: version 2 of job 'early/ä'"),
        (lambda text: "", "0 events in 0 bytes"),
        (lambda text: '{"\x1b[31m": 1}\n', "Line 1: "),
    ],
    ids=["cut off", "an empty line", "a version", "a byte", "the first line", "nothing", "escapes"],
)
def test_a_file_that_is_not_what_was_exported_is_refused(
    move: Move, change: Any, fault: str
) -> None:
    move.file.write_text(change(move.file.read_text(encoding="utf-8")), encoding="utf-8")

    said = refused(move)

    assert fault in said
    assert "\x1b" not in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    "options",
    [
        ["--job", "plain"],
        ["--user", "bob"],
        ["--since", "2026-03-02T12:00:00Z"],
        ["--from-position", "2"],
        ["--to-position", "15"],
    ],
)
def test_no_store_is_made_of_a_part_of_a_log(move: Move, options: list[str]) -> None:
    move.export("--force", *options)

    assert "a part of a log" in refused(move)


@pytest.mark.parametrize("name", ["csv", "cloudevents", "cloudevents-batch"])
def test_no_store_is_made_of_other_formats(move: Move, name: str) -> None:
    move.export("--force", "--format", name)

    assert f"It is {name} 1; only jsonl 1 can be imported." in refused(move)
    result = move.at(move.new).run("import", str(move.file), "--no-manifest")
    assert result.exit_code == 1
    assert "Error: Line 1: " in result.stderr
    assert count(move.new) == 0


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b"[" * 100_000, b'{"note":null}'])
def test_what_is_no_manifest_is_refused(move: Move, content: bytes) -> None:
    move.manifest.write_bytes(content)

    assert "no manifest of an export" in refused(move)


def test_what_is_not_there_is_not_imported(move: Move) -> None:
    shell = move.at(move.new)

    nowhere = move.folder / "nowhere"
    assert shell.fails("import", str(nowhere)) == (
        f"Error: {nowhere} cannot be read: No such file or directory\n"
    )
    assert (
        "cannot be read: No such file"
        in shell.run("import", str(move.folder / "nowhere"), "--no-manifest").stderr
    )
    assert "cannot be read" in shell.run("import", str(move.folder), "--no-manifest").stderr


@pytest.mark.parametrize(
    "arguments",
    [[], ["-"], ["file", "--manifest", "m", "--no-manifest"], ["file", "--replace"]],
)
def test_wrong_usage(move: Move, arguments: list[str]) -> None:
    result = move.at(move.new).run("import", *arguments)

    assert (result.exit_code, result.stdout) == (2, "")


def test_whose_manifest_it_is_matters_where_keys_are_trusted(tmp_path: Path) -> None:
    key, other = (PrivateKey.generate("milepost.example") for _ in range(2))
    path = tmp_path / "manifest"
    path.write_bytes(dumped(MANIFEST, [key]))

    assert read(path, [key.public]).signed
    for trusted in ([other.public], [key.public]):
        with pytest.raises(InvalidExport, match=r"not by a trusted key|is not signed"):
            read(path, trusted)
        path.write_bytes(dumped(MANIFEST))
    assert read(path, []) == MANIFEST
