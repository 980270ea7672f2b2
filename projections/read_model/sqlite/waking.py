"""The projector's lock, and what wakes its holder and other followers of the log."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import LiteralString

from domain.log.connections.file_lock import file_lock
from domain.log.sqlite import SQLiteRecorder
from projections.read_model.callers import Callers
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
        # The pipe wakes one listener. Followers of the log are in the process that commits.
        self._callers = Callers()

    def wake(self) -> None:
        """See `ReadModel.wake`."""
        self._bell.ring()
        self._callers.wake()

    @contextmanager
    def wake_ups(self) -> Iterator[WakeUps]:
        """See `ReadModel.wake_ups`."""
        with self._callers.called() as called:
            yield called

    @contextmanager
    def projector_lock(self) -> Iterator[WakeUps | None]:
        """See `ReadModel.projector_lock`."""
        with file_lock(Path(f"{self._datastore.pool.db_name}-projector")) as is_held:
            if not is_held:
                yield None
                return
            with self._bell.listen() as listener:
                yield listener
