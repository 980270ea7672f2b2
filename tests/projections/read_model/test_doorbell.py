"""The doorbell wakes the projector where the database cannot."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from threading import Thread
from time import monotonic

import pytest

from projections.read_model.doorbell import LOOK_SECONDS, Doorbell, Listener

LONG = 60.0
SHORT = 0.2
RING = """
import sys
from pathlib import Path
from projections.read_model.doorbell import Doorbell
Doorbell(Path(sys.argv[1])).ring()
"""


def waited(path: Path, seconds: float = LONG) -> float:
    """Return the seconds that a new listener waited."""
    with Doorbell(path).listen() as listener:
        return waited_for(listener, seconds)


def waited_for(listener: Listener, seconds: float) -> float:
    """Let the listener wait; return the seconds that it waited."""
    began = monotonic()
    listener.wait(seconds)
    return monotonic() - began


def test_a_ring_of_another_process_wakes_the_listener(tmp_path: Path) -> None:
    path = tmp_path / "bell"
    with Doorbell(path).listen() as listener:
        subprocess.run([sys.executable, "-c", RING, str(path)], check=True, timeout=LONG)

        assert waited_for(listener, LONG) < LONG / 2


def test_a_listener_that_is_waiting_already_is_woken(tmp_path: Path) -> None:
    path = tmp_path / "bell"
    with Doorbell(path).listen() as listener:
        waiting = Thread(target=listener.wait, args=(LONG,))
        waiting.start()

        Doorbell(path).ring()

        waiting.join(timeout=LONG / 2)
        assert not waiting.is_alive()


def test_many_rings_wake_once(tmp_path: Path) -> None:
    """The listener wakes once, also for more rings than a pipe holds, and a ring never waits."""
    bell = Doorbell(tmp_path / "bell")
    with bell.listen() as listener:
        for _ in range(70_000):
            bell.ring()

        assert waited_for(listener, LONG) < LONG / 2
        assert waited_for(listener, SHORT) >= SHORT / 2


def test_ringing_without_a_listener_does_nothing(tmp_path: Path) -> None:
    bell = Doorbell(tmp_path / "bell")

    bell.ring()

    assert list(tmp_path.iterdir()) == []


def test_a_bell_outlives_its_listeners(tmp_path: Path) -> None:
    bell = Doorbell(tmp_path / "bell")
    with bell.listen():
        bell.ring()
    bell.ring()
    with bell.listen() as listener:
        bell.ring()

        assert waited_for(listener, LONG) < LONG / 2


@pytest.mark.parametrize("as_link", [True, False])
def test_what_is_no_pipe_is_not_written_to(tmp_path: Path, as_link: bool) -> None:
    """Otherwise an account that may write beside the database could make us write to any file."""
    victim = tmp_path / "victim"
    victim.write_text("precious")
    path = tmp_path / "bell" if as_link else victim
    if as_link:
        path.symlink_to(victim)

    Doorbell(path).ring()

    assert victim.read_text() == "precious"
    assert waited(path, LOOK_SECONDS / 5) >= LOOK_SECONDS / 10


@pytest.mark.parametrize("in_the_way", ["folder", "no folder"])
def test_without_a_pipe_the_listener_looks_from_time_to_time(
    tmp_path: Path, in_the_way: str
) -> None:
    path = tmp_path / "bell"
    if in_the_way == "folder":
        path.mkdir()
    else:
        path = tmp_path / "missing" / "bell"

    assert waited(path) < LONG / 2
    assert waited(path, LOOK_SECONDS / 5) < LONG / 2
