"""Commits of PostgreSQL that succeed with a warning: a standby may not have them.

If the wait for a synchronous standby is interrupted, PostgreSQL reports success and sends a
warning. After a failover to that standby, such a commit may be gone.

PostgreSQL warns in a commit of other things, too: of a queue of notifications that is half full, of
transaction ids that come to an end. These commits are as durable as any.
"""

from __future__ import annotations

from functools import partial
from typing import Any
from weakref import WeakKeyDictionary, ref

from eventsourcing.persistence import OperationalError
from psycopg import Connection
from psycopg.errors import Diagnostic

from domain.log.refusals import NotReplicated

WAITS = "SyncRepWaitForLSN"
"""PostgreSQL's function that waits for a standby. Messages may be in any language."""


class CommitWarnings:
    """Remembers, for each watched connection, the last such warning since it was asked."""

    def __init__(self) -> None:
        self._last: WeakKeyDictionary[Connection[Any], str] = WeakKeyDictionary()

    def watch(self, connection: Connection[Any]) -> None:
        """Note the warnings of this connection from now on."""
        connection.add_notice_handler(partial(self._note, ref(connection)))

    def forget(self, connection: Connection[Any]) -> None:
        """Drop the warnings so far, which came before a commit."""
        self._last.pop(connection, None)

    def refuse(self, connection: Connection[Any]) -> None:
        """Raise `OperationalError` if a warning has come since `forget`."""
        if warning := self._last.pop(connection, None):
            raise OperationalError(
                f"the commit is not certain to be durable: {warning}"
            ) from NotReplicated(warning)

    def _note(self, watched: ref[Connection[Any]], notice: Diagnostic) -> None:
        connection = watched()
        if connection is not None and notice.source_function == WAITS:
            self._last[connection] = "; ".join(
                text for text in (notice.message_primary, notice.message_detail) if text
            )
