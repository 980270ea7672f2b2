"""A memory outlives its process, for each log and each database that it was seen in."""

from __future__ import annotations

import logging
import stat
from pathlib import Path

import pytest

from domain.job.callback import Callback
from domain.log.lost_end.folder import MemoryFolder
from domain.log.lost_end.marks import Mark, Memory
from domain.log.lost_end.watch import EndWatch
from tests.support.processes.accounts import give_away
from tests.support.stores.deployment import NOON, Deployment
from tests.support.stores.losing import lose


def folder(home: Path, database: str = "here", origin: str = "log") -> MemoryFolder:
    return MemoryFolder(home / "seen", database, lambda: origin)


def memory(position: int, *known: str) -> Memory:
    return Memory((Mark(position, "job", position, b"leaf", NOON),), frozenset(known))


def kept(home: Path, written: Memory, database: str = "here", origin: str = "log") -> None:
    """Keep a memory as a process does: it loads before it saves."""
    made = folder(home, database, origin)
    made.load()
    made.save(written)


def test_a_memory_comes_back_as_it_was(tmp_path: Path) -> None:
    assert folder(tmp_path).load() == Memory()

    kept(tmp_path, memory(7, "loss"))

    assert folder(tmp_path).load() == memory(7, "loss")
    [file] = (tmp_path / "seen").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_a_log_whose_database_has_another_address_is_known(tmp_path: Path) -> None:
    kept(tmp_path, memory(7), database="the old primary")

    assert folder(tmp_path, database="the new primary").load() == memory(7)


def test_another_log_in_the_same_database_is_compared_with_the_one_before(tmp_path: Path) -> None:
    kept(tmp_path, memory(7), origin="the one before")

    assert folder(tmp_path, origin="another").load() == memory(7)


def test_a_home_that_serves_several_databases_in_turn_mixes_nothing_up(tmp_path: Path) -> None:
    kept(tmp_path, memory(7), database="a", origin="log of a")
    kept(tmp_path, memory(9), database="b", origin="log of b")

    assert folder(tmp_path, "a", "log of a").load() == memory(7)
    assert folder(tmp_path, "b", "log of b").load() == memory(9)
    assert folder(tmp_path, "c", "log of c").load() == Memory()


def test_a_copy_that_went_its_own_way_says_nothing_about_the_original(tmp_path: Path) -> None:
    kept(tmp_path, memory(7), database="the original")
    kept(tmp_path, memory(900), database="a copy")

    assert folder(tmp_path, "the original").load() == memory(7)


def test_a_process_that_has_seen_less_overwrites_no_better_memory(tmp_path: Path) -> None:
    kept(tmp_path, memory(7, "loss"))

    kept(tmp_path, memory(5, "loss"))
    kept(tmp_path, memory(99))
    assert folder(tmp_path).load() == memory(7, "loss")

    kept(tmp_path, memory(5, "loss", "another"))
    assert folder(tmp_path).load() == memory(5, "loss", "another")


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b'{"origin": 1}', b"[]"])
def test_a_file_that_is_no_memory_is_passed_over(tmp_path: Path, content: bytes) -> None:
    kept(tmp_path, memory(7))
    (tmp_path / "seen" / "other.json").write_bytes(content)

    assert folder(tmp_path).load() == memory(7)


def test_a_home_that_takes_no_file_is_told_of_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "seen").write_text("in the way of the folder")
    made = folder(tmp_path)
    assert made.load() == Memory()

    with caplog.at_level(logging.WARNING, "milepost"):
        made.save(memory(7))
        made.save(memory(8))

    [line] = caplog.messages
    assert line.startswith("a restart forgets what was seen of the log: ")


def test_root_leaves_nothing_in_the_home_of_another_account(tmp_path: Path) -> None:
    """As after `sudo milepost losses acknowledge`: the server could not write there any more."""
    give_away(tmp_path)

    kept(tmp_path, memory(7))

    assert list(tmp_path.iterdir()) == []


def test_a_restart_notices_what_was_lost_while_nothing_ran(
    databases: Deployment, tmp_path: Path
) -> None:
    watch_from(tmp_path, databases).follow()
    for _ in range(3):
        databases.milepost.record(Callback(job_id="job", type="heartbeat"))
    watch_from(tmp_path, databases).follow()
    lose(databases, after=2)

    watch_from(tmp_path, databases).follow()
    watch_from(tmp_path, databases).follow()

    [loss] = databases.milepost.store.losses()
    assert (loss.position, loss.version) == (3, 3)


def test_an_import_of_the_same_events_is_no_loss(databases: Deployment, tmp_path: Path) -> None:
    """It makes a log of another origin, with the events that were seen at their positions."""
    store = databases.milepost.store
    for _ in range(3):
        databases.milepost.record(Callback(job_id="job", type="heartbeat"))
    watch_from(tmp_path, databases).follow()
    events = store.events(0, 10)
    lose(databases, after=0)
    with store.filling() as filling:
        filling.append(events)

    watch_from(tmp_path, databases, origin="another").follow()

    assert list(store.losses()) == []


def watch_from(home: Path, made: Deployment, origin: str = "log") -> EndWatch:
    """Return the watch of a new process."""
    watch = EndWatch(made.milepost.store, lambda: 0.0)
    watch.keep_in(folder(home, origin=origin))
    return watch
