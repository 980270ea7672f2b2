"""The wiring: what is opened for a database is closed with it."""

from __future__ import annotations

import os
from contextlib import suppress
from os.path import samestat
from pathlib import Path

from api.config import Settings
from api.wiring import open_services
from domain.callback import Callback


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
    with another.read_model.turn() as turn:
        assert turn is not None
        here.milepost.record(Callback(job_id="job", type="heartbeat"))
        assert "milepost.db" in held(tmp_path)

        here.close()
    another.close()

    assert held(tmp_path) == set()
