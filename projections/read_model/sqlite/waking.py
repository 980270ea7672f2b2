"""The projector's lock, and what wakes its holder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
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
        # SQLite cannot LISTEN, so writers wake the projector through a named pipe.
        self._bell = Doorbell(Path(f"{self._datastore.pool.db_name}-bell"))

    def wake(self) -> None:
        """See `ReadModel.wake`."""
        self._bell.ring()

    @contextmanager
    def projector_lock(self) -> Iterator[WakeUps | None]:
        """See `ReadModel.projector_lock`."""
        with file_lock(Path(f"{self._datastore.pool.db_name}-projector")) as is_held:
            if not is_held:
                yield None
                return
            with self._bell.listen() as listener:
                yield listener
