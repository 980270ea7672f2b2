"""The doorbell wakes the projector where the database cannot."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from time import monotonic

import pytest

from domain.log.connections.file_lock import file_lock
from projections.read_model.doorbell import LOOK_SECONDS, Doorbell, Listener

LONG = 60.0
SHORT = 0.2
RING = """
import sys
from pathlib import Path
from projections.read_model.doorbell import Doorbell
Doorbell(Path(sys.argv[1])).ring()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The file of a bell."""
    path = tmp_path / "bell"
    path.touch(0o600)
    return path


@contextmanager
def listening(path: Path) -> Iterator[Listener]:
    """Listen, where the kernel tells of rings."""
    with Doorbell(path).listen() as listener:
        assert waited_for(listener, SHORT) >= SHORT / 2
        yield listener


def waited_for(listener: Listener, seconds: float) -> float:
    """Let the listener wait; return the seconds that it waited."""
    began = monotonic()
    listener.wait(seconds)
    return monotonic() - began


def test_a_ring_of_another_process_wakes_the_listener(path: Path) -> None:
    with listening(path) as listener:
        subprocess.run([sys.executable, "-c", RING, str(path)], check=True, timeout=LONG)

        assert waited_for(listener, LONG) < LONG / 2


def test_a_listener_that_is_waiting_already_is_woken(path: Path) -> None:
    with listening(path) as listener:
        waiting = Thread(target=listener.wait, args=(LONG,))
        waiting.start()

        Doorbell(path).ring()

        waiting.join(timeout=LONG / 2)
        assert not waiting.is_alive()


def test_many_rings_wake_once(path: Path) -> None:
    """The listener wakes once, also for more rings than the kernel keeps, and none waits."""
    bell = Doorbell(path)
    with listening(path) as listener:
        for _ in range(70_000):
            bell.ring()

        assert waited_for(listener, LONG) < LONG / 2
        assert waited_for(listener, SHORT) >= SHORT / 2


def test_a_process_that_takes_the_lock_does_not_ring(path: Path) -> None:
    """Those that stand by try it each second."""
    with file_lock(path) as is_held, listening(path) as listener:
        assert is_held
        for _ in range(3):
            with file_lock(path) as is_held_twice:
                assert not is_held_twice

        assert waited_for(listener, SHORT) >= SHORT / 2


def test_ringing_without_a_listener_does_nothing(tmp_path: Path) -> None:
    Doorbell(tmp_path / "bell").ring()

    assert list(tmp_path.iterdir()) == []


def test_a_bell_outlives_its_listeners(path: Path) -> None:
    bell = Doorbell(path)
    with listening(path):
        bell.ring()
    bell.ring()
    with listening(path) as listener:
        bell.ring()

        assert waited_for(listener, LONG) < LONG / 2


def test_a_bell_is_an_empty_file_that_anybody_may_copy(path: Path, tmp_path: Path) -> None:
    bell = Doorbell(path)
    with listening(path):
        bell.ring()
        shutil.copyfile(path, tmp_path / "copy")

    assert path.is_file()
    assert (tmp_path / "copy").read_bytes() == b""


@pytest.mark.parametrize("kind", ["link", "file", "named pipe"])
def test_whatever_is_in_the_place_of_the_bell_is_not_written_to(tmp_path: Path, kind: str) -> None:
    """Otherwise an account that may write beside the database could make us write to any file."""
    victim = tmp_path / "victim"
    victim.write_text("precious")
    path = victim if kind == "file" else tmp_path / "bell"
    if kind == "link":
        path.symlink_to(victim)
    elif kind == "named pipe":
        os.mkfifo(path)

    Doorbell(path).ring()

    assert victim.read_text() == "precious"


def test_without_a_file_the_listener_looks_from_time_to_time(tmp_path: Path) -> None:
    with Doorbell(tmp_path / "missing" / "bell").listen() as listener:
        assert waited_for(listener, LONG) < LONG / 2
        assert waited_for(listener, LOOK_SECONDS / 5) < LONG / 2
