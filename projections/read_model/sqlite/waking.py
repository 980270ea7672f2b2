"""The projector's lock, and what wakes its holder and other followers of the log."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import LiteralString

from domain.log.connections.file_lock import file_lock
from domain.log.sqlite import SQLiteRecorder
from projections.read_model.contract import SHAPE, WakeUps
from projections.read_model.doorbell import Doorbell
from projections.read_model.sqlite.statements import Statements


class Waking(Statements):
    """One projector at a time, woken by every append."""

    def __init__(
        self, recorder: SQLiteRecorder, shape: LiteralString = SHAPE, *, rebuilt: bool = False
    ) -> None:
        super().__init__(recorder, shape, rebuilt=rebuilt)
        self._lock = Path(f"{self._datastore.pool.db_name}-projector")
        # SQLite cannot LISTEN, so writers wake the projector by the file of its lock.
        self._bell = Doorbell(self._lock)

    def wake(self) -> None:
        """See `ReadModel.wake`."""
        self._bell.ring()

    @contextmanager
    def wake_ups(self) -> Iterator[WakeUps]:
        """See `ReadModel.wake_ups`."""
        with self._bell.listen() as listener:
            yield listener

    @contextmanager
    def projector_lock(self) -> Iterator[WakeUps | None]:
        """See `ReadModel.projector_lock`."""
        database = Path(self._datastore.pool.db_name)
        with file_lock(self._lock, like=database) as is_held:
            if not is_held:
                yield None
                return
            _remove_pipe(Path(f"{database}-bell"))
            with self._bell.listen() as listener:
                yield listener


def _remove_pipe(path: Path) -> None:
    """Remove the named pipe that earlier releases made: a program that copies it hangs."""
    with suppress(OSError):
        if stat.S_ISFIFO(path.lstat().st_mode):
            path.unlink()
