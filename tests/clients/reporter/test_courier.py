"""The courier: it sends beside the command, and never holds up whoever waits for it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from clients.reporter.milepost_report import Courier, Spool, Target, Wire, target_of, word_of
from tests.clients.reporter.gate import Gate, answering, silent
from tests.clients.reporter.program import PATIENCE_SECONDS, until
from tests.support.processes.server import free_port
from tests.support.stores.deployment import Clock

TAKEN = answering("200 OK", b'{"received": true}')
LATER = answering("503 Service Unavailable")


@pytest.fixture
def gate() -> Iterator[Gate]:
    """A gate with nobody behind it, which takes everything."""
    made = Gate(free_port())
    made.way = TAKEN
    yield made
    made.close()


@pytest.fixture
def target(gate: Gate) -> Target:
    """The target of a job behind the gate."""
    return target_of(
        {
            "MILEPOST_CALLBACK_URL": f"http://127.0.0.1:{gate.port}/api/callbacks/job-1",
            "MILEPOST_CALLBACK_KEY": "a secret",
        }
    )


def courier(target: Target, folder: Path, every: float | None = None) -> Courier:
    """Return a courier that has begun."""
    made = Courier(Wire(target), Spool(folder, target.name), target, lambda _: None, every)
    made.begin()
    return made


def seen(gate: Gate) -> list[str]:
    """Return what came to the gate."""
    bodies = [json.loads(each.body) for each in gate.seen]
    return [body.get("step") or body.get("type") for body in bodies]


def test_heartbeats_come_as_long_as_the_command_runs(
    gate: Gate, target: Target, tmp_path: Path
) -> None:
    made = courier(target, tmp_path, every=0.01)
    until(lambda: len(gate.seen) > 3, "no heartbeats come")

    assert made.finish(30)

    assert set(seen(gate)) == {"heartbeat"}
    assert len({each.headers["webhook-id"] for each in gate.seen}) == len(gate.seen)
    assert not made.is_alive()


def test_a_heartbeat_takes_along_what_waits(gate: Gate, target: Target, tmp_path: Path) -> None:
    gate.way = LATER
    made = courier(target, tmp_path, every=0.01)
    made.tell(word_of(target, {"step": "vm_created"}))
    until(lambda: gate.seen, "nothing comes")
    gate.seen.clear()
    gate.way = TAKEN
    until(lambda: "heartbeat" in seen(gate), "no heartbeat comes")

    assert made.finish(30)

    assert "vm_created" in seen(gate)
    assert list(tmp_path.glob("*/*")) == []


def test_nobody_waits_longer_for_a_silent_server_than_was_agreed(
    gate: Gate, target: Target, tmp_path: Path
) -> None:
    gate.way = silent
    made = courier(target, tmp_path)
    made.tell(word_of(target, {"step": "vm_created"}))
    until(lambda: gate.seen, "nothing comes")

    assert made.finish(0.01) is False

    assert made.is_alive(), "it is still waiting for the server, and nobody waits for it"
    assert len(list(tmp_path.glob("*/*"))) == 1
    gate.is_over.set()
    made.join(PATIENCE_SECONDS)


def test_hundreds_that_wait_are_sent_over_one_connection(
    gate: Gate, target: Target, tmp_path: Path
) -> None:
    spool = Spool(tmp_path, target.name)
    for number in range(300):
        spool.put(word_of(target, {"step": f"step-{number}"}))[1].release()

    assert courier(target, tmp_path).finish(30)

    assert seen(gate) == [f"step-{number}" for number in range(300)]
    assert gate.connections == 1


def test_the_spool_keeps_the_newest_words_within_its_bounds(target: Target, tmp_path: Path) -> None:
    clock = Clock()
    spool = Spool(tmp_path, target.name, lambda: clock().timestamp())
    for number in range(510):
        clock.advance(1)
        spool.put(word_of(target, {"step": f"step-{number}"}))[1].release()

    kept = [spool.take(name) for name in spool.names()]

    assert len(kept) == 500
    assert kept[0] is not None
    assert json.loads(kept[0].word.body)["step"] == "step-10"
    for each in kept:
        assert each is not None
        each.release()


def test_large_words_are_bounded_in_bytes(target: Target, tmp_path: Path) -> None:
    spool = Spool(tmp_path, target.name)
    for _ in range(10):
        spool.put(word_of(target, {"metadata": {"image": "x" * 1_000_000}}))[1].release()

    assert len(spool.names()) == 8


def test_a_word_is_sent_by_one_process_at_a_time(target: Target, tmp_path: Path) -> None:
    spool = Spool(tmp_path, target.name)
    name, mine = spool.put(word_of(target, {"step": "vm_created"}))
    assert spool.take(name) is None

    mine.release()
    taken = spool.take(name)
    assert taken is not None
    assert spool.take(name) is None
    taken.remove()

    assert spool.take(name) is None
    assert spool.names() == []


def test_what_waits_is_private(target: Target, tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", target.name)
    name, mine = spool.put(word_of(target, {"step": "vm_created"}))
    mine.release()

    assert (spool.folder / name).stat().st_mode & 0o777 == 0o600
    assert spool.folder.stat().st_mode & 0o777 == 0o700
    spool.folder.chmod(0o750)
    with pytest.raises(OSError, match="not a folder of this account alone"):
        spool.put(word_of(target, {"step": "vm_created"}))


@pytest.mark.parametrize(("folder", "mode"), [("job", 0o755), ("root", 0o777)])
def test_what_another_account_may_have_left_is_not_signed(
    gate: Gate, target: Target, tmp_path: Path, folder: str, mode: int
) -> None:
    """Where there is no HOME, the spool is below /tmp, and anybody can make it first."""
    spool = Spool(tmp_path, target.name)
    spool.put(word_of(target, {"status": "stopped"}))[1].release()
    {"job": spool.folder, "root": tmp_path}[folder].chmod(mode)

    sending = courier(target, tmp_path)
    sending.tell(word_of(target, {"step": "vm_created"}))

    assert sending.finish(30)
    assert seen(gate) == ["vm_created"]


def test_a_folder_of_all_that_keeps_names_apart_is_as_good(target: Target, tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)

    spool = Spool(tmp_path, target.name)
    spool.put(word_of(target, {"step": "vm_created"}))[1].release()

    assert len(spool.names()) == 1


def test_a_link_in_place_of_the_folder_is_not_followed(target: Target, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (tmp_path / target.name).symlink_to(tmp_path / "elsewhere")

    with pytest.raises(OSError, match="not a folder"):
        Spool(tmp_path, target.name).put(word_of(target, {"step": "vm_created"}))
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_what_is_no_word_is_passed_over(gate: Gate, target: Target, tmp_path: Path) -> None:
    spool = Spool(tmp_path, target.name)
    spool.put(word_of(target, {"step": "vm_created"}))[1].release()
    for name, text in (("0", ""), ("1", "[]"), ("2", '{"id": 1, "body": 2}'), ("3.tmp", "{")):
        (spool.folder / name).write_text(text)

    assert courier(target, tmp_path).finish(30)

    assert seen(gate) == ["vm_created"]


def test_jobs_that_are_long_over_are_forgotten_and_nothing_else_is(
    target: Target, tmp_path: Path
) -> None:
    clock = Clock()
    clock.advance(10 * 365 * 24 * 3600)
    (tmp_path / ("a" * 24)).mkdir()
    (tmp_path / "a project").mkdir()

    Spool(tmp_path, target.name, lambda: clock().timestamp()).put(
        word_of(target, {"step": "vm_created"})
    )[1].release()

    names = {path.name for path in tmp_path.iterdir()}
    assert "a project" in names
    assert "a" * 24 not in names


def test_words_of_two_jobs_and_of_two_urls_wait_apart(target: Target) -> None:
    other = target._replace(job_id="job-2")
    elsewhere = target._replace(url=target.url._replace(netloc="milepost.example"))

    assert len({target.name, other.name, elsewhere.name}) == 3
