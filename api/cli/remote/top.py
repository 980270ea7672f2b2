"""top: what needs somebody and what is under way, refreshed by the stream of a running server."""

from __future__ import annotations

import sys
from collections.abc import Callable
from time import monotonic
from typing import Final, TypeAlias

import click
from rich.console import Console
from rich.live import Live as Display

from api.cli.remote.board import Board, as_lines, board_of, on_screen
from api.cli.remote.connecting import asking, remote, url_option
from api.cli.remote.connection import Connection
from api.cli.remote.inbox import Inbox
from api.cli.terminal.output import as_json, print_json
from api.cli.terminal.tables import console
from api.client.following import PASSING, Event, Live, Lost
from api.client.server import NoServer, Refused, RemoteServer
from domain.unseen import visible

TICK_SECONDS: Final = 1.0
"""How often the board is read at most, and the seconds on the screen change."""
LOOK_SECONDS: Final = 10.0
"""How often the board is read if nothing happens: a job falls silent by time alone."""
STREAM: Final = "/api/stream"

Show: TypeAlias = Callable[[Board, Connection, str], None]
"""Shows a board; a text says in a sentence why the board may be old."""


@click.command()
@click.option("--once", is_flag=True, help="Print the board once.")
@url_option
@as_json
def top(once: bool, url: str | None, as_json: bool) -> None:
    """Show live what needs somebody and what is under way.

    The command asks a running server; Ctrl-C leaves. If the output is no terminal, it prints one
    line per change; with --json, the whole board as one object after each change.
    """
    where = remote(url)
    server, out = RemoteServer(where.url, where.token), console()
    with asking(where):
        if as_json or not out.is_terminal:
            show = _as_json() if as_json else _as_lines()
            if once:
                show(board_of(server), Connection(), "")
            else:
                follow(server, show)
        elif once:
            out.print(on_screen(board_of(server), Connection().now(), out.width))
        else:
            # A screen of its own: when the command ends, the terminal is as it was.
            with Display(console=out, auto_refresh=False, screen=True) as display:
                follow(server, _on_screen(out, display))


def follow(server: RemoteServer, show: Show) -> None:
    """Show the board after each change, for ever."""
    # What happens before the stream is live comes with the board that is read once it is.
    board, read_at, position = board_of(server), monotonic(), 0
    inbox, connection = Inbox(server, STREAM), Connection()
    is_old, why_old = True, ""
    while True:
        news = inbox.next(TICK_SECONDS)
        match news:
            case Event():
                position, is_old = news.position, True
            case Live() | Lost():
                connection.take(news)
                is_old = True
        pause = TICK_SECONDS if is_old else LOOK_SECONDS
        if connection.is_live and monotonic() - read_at >= pause:
            try:
                board, is_old, why_old = board_of(server, position), False, ""
            except (NoServer, Refused) as error:
                if isinstance(error, Refused) and error.status not in PASSING:
                    raise
                is_old, why_old = True, f"The board is old: {error}"
            read_at = monotonic()
        elif isinstance(news, Event):
            continue
        show(board, connection, connection.trouble() or why_old)


def _on_screen(out: Console, display: Display) -> Show:
    def show(board: Board, connection: Connection, why_old: str) -> None:
        shown = on_screen(board, connection.now(), out.width, out.height, why_old)
        display.update(shown, refresh=True)

    return show


def _as_json() -> Show:
    shown: object = None

    def show(board: Board, _: Connection, why_old: str) -> None:
        nonlocal shown
        if board.without_time() != shown:
            shown = board.without_time()
            print_json(board._asdict())
            sys.stdout.flush()

    return _with_trouble(show)


def _as_lines() -> Show:
    shown: set[object] = set()

    def show(board: Board, _: Connection, why_old: str) -> None:
        nonlocal shown
        lines = as_lines(board)
        for key, line in lines.items():
            if key not in shown:
                click.echo(line)
        shown = set(lines)
        sys.stdout.flush()

    return _with_trouble(show)


def _with_trouble(show: Show) -> Show:
    """Say on stderr, once each, that the board may be old, and that it is live again."""
    was_old = False

    def show_both(board: Board, connection: Connection, why_old: str) -> None:
        nonlocal was_old
        if bool(why_old) != was_old:
            was_old = bool(why_old)
            click.echo(visible(why_old or "Live updates go on."), err=True)
        show(board, connection, why_old)

    return show_both
