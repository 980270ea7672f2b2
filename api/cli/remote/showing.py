"""Three ways to show a job that is watched: on a screen, as lines, as JSON."""

from __future__ import annotations

import sys

import click
from rich.live import Live as Display

from api.cli.remote.connection import Connection
from api.cli.remote.screen import on_line, on_screen
from api.cli.remote.seen import Seen
from api.cli.terminal.output import print_json
from api.client.following import Event, Live, Lost
from domain.unseen import visible


class Showing:
    """A way to show a job. What it does not override, it does not show."""

    def event(self, event: Event) -> None:
        """Show an event of the job's stream."""

    def state(self, seen: Seen | None, connection: Connection) -> None:
        """Show the job as it is now; None while nothing is known of it."""

    def stream(self, news: Live | Lost, connection: Connection) -> None:
        """Show that the stream was lost, or is live."""

    def end(self, position: int, seen: Seen) -> None:
        """Show that the job has ended, at a position of the log."""


class Screen(Showing):
    """A part of the terminal, which changes."""

    def __init__(self, display: Display) -> None:
        self._display = display

    def state(self, seen: Seen | None, connection: Connection) -> None:
        """See `Showing.state`; tell of a lost stream, too."""
        shown = on_screen(seen, connection.now(), connection.trouble())
        self._display.update(shown, refresh=True)


class Growing(Showing):
    """Output that only grows; stderr tells of a lost stream."""

    def __init__(self) -> None:
        self._is_lost = False

    def stream(self, news: Live | Lost, connection: Connection) -> None:
        """See `Showing.stream`; print one line for a lost stream, however long it stays lost."""
        is_lost = isinstance(news, Lost)
        if is_lost != self._is_lost:
            self._is_lost = is_lost
            said = connection.trouble() if is_lost else "Live updates go on."
            click.echo(visible(said), err=True)


class Lines(Growing):
    """A line for each change that a person would see; of `several` jobs, with the job's id."""

    def __init__(self, *, several: bool) -> None:
        super().__init__()
        self._several = several
        self._last: Seen | None = None

    def state(self, seen: Seen | None, connection: Connection) -> None:
        """See `Showing.state`."""
        if seen and seen.without_time() != self._last:
            self._last = seen.without_time()
            click.echo(on_line(seen, with_id=self._several))
            sys.stdout.flush()


class Json(Growing):
    """A JSON object for each event of the stream, and one for its end."""

    def event(self, event: Event) -> None:
        """See `Showing.event`."""
        self._print("state", event.position, event.document)

    def end(self, position: int, seen: Seen) -> None:
        """See `Showing.end`."""
        self._print("end", position, {"status": seen.status, "outcome": seen.outcome})

    def _print(self, event: str, position: int, document: object) -> None:
        print_json({"event": event, "position": position, "data": document})
        sys.stdout.flush()
