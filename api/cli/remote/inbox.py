"""The inbox: news of a stream, which a thread of its own reads.

The screen goes on meanwhile: its seconds tick, and Ctrl-C ends it.
"""

from __future__ import annotations

from queue import Empty, Queue
from threading import Event, Thread
from typing import Final

from api.client.following import Following, News
from api.client.server import NoServer, Refused, RemoteServer

MOST: Final = 1_000
"""How much news waits. A terminal that is slower than the log makes the server wait."""


class Inbox:
    """What the stream at a path tells, from now on."""

    def __init__(self, server: RemoteServer, path: str) -> None:
        self._news: Queue[News | NoServer | Refused] = Queue(MOST)
        self._following = Following(server, path, _sleep)
        # A thread that waits for a server must not hold up the end of the command.
        self._thread = Thread(target=self._read, daemon=True)
        self._thread.start()

    def next(self, seconds: float) -> News | None:
        """Return the next news; None if none comes within the time. Raises as `Following` does."""
        try:
            news = self._news.get(timeout=max(0.0, seconds))
        except Empty:
            return None
        if isinstance(news, NoServer | Refused):
            # A thread that still runs while the interpreter ends can crash it.
            self._thread.join()
            raise news
        return news

    def _read(self) -> None:
        try:
            for news in self._following:
                self._news.put(news)
        except (NoServer, Refused) as error:
            self._news.put(error)


def _sleep(seconds: float) -> None:
    Event().wait(seconds)
