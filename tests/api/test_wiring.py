"""The wiring: what is opened for a database is closed with it, and what goes with a projector."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from os.path import samestat
from pathlib import Path
from threading import Event

from api.settings.settings import Settings
from api.wiring import open_services
from domain.job.callback import Callback


def held(folder: Path) -> set[str]:
    """Return the names of the files in the folder that this process holds open."""
    found = set()
    for number in Path("/dev/fd").iterdir():
        with suppress(OSError):  # the listing's own is closed again
            opened = os.fstat(int(number.name))
            found |= {path.name for path in folder.iterdir() if samestat(path.stat(), opened)}
    return found


def test_nothing_of_a_sqlite_database_is_held_once_it_is_closed(tmp_path: Path) -> None:
    """Not even the bell that it rings for another one's projector."""
    url = f"sqlite:///{tmp_path / 'milepost.db'}"
    here, another = (open_services(Settings(home=tmp_path, database_url=url)) for _ in range(2))
    here.prepare()
    with another.read_model.projector_lock() as wake_ups:
        assert wake_ups is not None
        here.milepost.record(Callback(job_id="job", type="heartbeat"))
        assert "milepost.db" in held(tmp_path)

        here.close()
    another.close()

    assert held(tmp_path) == set()


class Once(Event):
    """Is set as soon as something is so, or was asked for too often."""

    def __init__(self, condition: Callable[[], bool], looks: int = 30) -> None:
        super().__init__()
        self._condition, self._looks = condition, looks

    def is_set(self) -> bool:
        self._looks -= 1
        return self._looks < 0 or self._condition()


def test_a_projector_takes_away_what_a_rebuild_has_replaced(tmp_path: Path) -> None:
    file = tmp_path / "milepost.db"
    here = open_services(Settings(home=tmp_path, database_url=f"sqlite:///{file}"))
    here.prepare()
    here.milepost.record(Callback(job_id="job", type="heartbeat"))
    here.rebuild().run()

    def replaced() -> int:
        with closing(sqlite3.connect(file)) as database:
            [(count,)] = database.execute(
                "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name GLOB ?",
                ("milepost_dropped_*",),
            )
        return int(count)

    before = replaced()
    assert before > 0

    here.projector().run(Once(lambda: replaced() < before))

    assert replaced() < before
    here.close()
