"""demo: play three jobs against the running server, as their workflows would."""

from __future__ import annotations

import secrets
import shutil
import sys
from collections.abc import Iterator
from math import isfinite
from pathlib import Path
from threading import Event

import click
from rich.live import Live

from api.cli.remote.connecting import asking, remote, url_option
from api.cli.remote.stage import Lines, as_table
from api.cli.terminal.output import INTERRUPTED
from api.cli.terminal.tables import console
from api.demo.playing import Play, Row
from api.demo.server import Server
from api.demo.story import CAST
from domain.unseen import visible_lines


@click.command()
@url_option
@click.option(
    "--speed",
    type=click.FloatRange(min=1),
    default=1.0,
    show_default=True,
    help="How many times as fast; the silence at the end lasts as long as ever.",
)
@click.option("--yes", is_flag=True, help="Play also on a server that has other jobs.")
@click.pass_context
def demo(context: click.Context, url: str | None, speed: float, yes: bool) -> None:
    """Play three jobs on the running server, to see what it does.

    One succeeds, one fails and is tried again, and one falls silent. It takes half a minute. The
    jobs are those of the agents demo-web, demo-db and demo-lost, and stay in the server's log for
    ever, as all events do.
    """
    if not isfinite(speed):
        raise click.UsageError("--speed must be a finite number")
    where = remote(url)
    with asking(where):
        server = Server(where.url, where.token)
        try:
            _ask_first(server, yes)
        except click.Abort:
            click.echo("\nInterrupted; nothing was written.", err=True)
            context.exit(INTERRUPTED)
        play = Play(server, secrets.token_hex(3), speed, _sleep)
        try:
            _show(play)
        except KeyboardInterrupt:
            play.leave()
            click.echo("Interrupted; no job of the demo is left under way.", err=True)
            context.exit(INTERRUPTED)
    for line in _closing_words(play, server.url, where.source):
        click.echo(visible_lines(line))


def _ask_first(server: Server, yes: bool) -> None:
    """Say what will be written; ask where the server has jobs that are not the demo's."""
    others = server.has_other_jobs()
    agents = ", ".join(part.agent for part in CAST)
    click.echo(f"Plays three jobs on {server.url}, of the agents {agents}: about 30 events.")
    if yes or not others:
        return
    click.echo("That server has other jobs, too, and what is played there stays for ever.")
    if not sys.stdin.isatty():
        raise click.ClickException("nothing was written; with --yes, it plays there all the same")
    if not click.confirm("Play there all the same?"):
        raise click.ClickException("nothing was written")


def _show(play: Play) -> None:
    """Show the play as a table that changes, or without a terminal as lines."""
    out = console()
    if not out.is_terminal:
        show = Lines()
        for rows in play.run():
            show(rows)
        return
    with Live(console=out, auto_refresh=False) as live:
        for rows in play.run():
            live.update(as_table(rows), refresh=True)


def _closing_words(play: Play, url: str, token: str) -> Iterator[str]:
    """Say how each job ended, and what to look at next."""
    yield ""
    for row in play.rows:
        yield f"{row.part.agent}, {row.part.about}: {_end(row)}"
    if play.patience:
        yield f"  The server gives no job up yet ({play.patience}). It will give this one up later."
    yield ""
    yield "Look next:"
    program = _program()
    web, db, lost = (row.job_id for row in play.rows)
    commands = {
        "jobs": "all jobs, the newest first",
        f"jobs {db}": "two attempts, and how long each step took",
        f"replay {web}": "what its user saw, once more",
        f"audit {lost}": "each event, who sent it, and what it changed",
    }
    width = max(map(len, commands))
    for command, about in commands.items():
        yield f"  {program} {command:{width}}  {about}"
    yield f"  {url}/jobs  in a browser: all jobs; sign in with the token in {token}"
    yield f"  {url}/jobs/{db}  the retried job: its steps, its timeline and its history"
    yield f"  {url}/api/docs  the API, with forms to try it"


def _program() -> str:
    """Return how the reader can call this program: by its name, or as it was called."""
    found, called = shutil.which("milepost"), sys.argv[0]
    return "milepost" if found and Path(found).samefile(called) else called


def _end(row: Row) -> str:
    job = row.job
    assert job is not None
    if job["health"]["state"] != "ok":
        return str(job["health"]["sentence"])
    how = f"{job['status']}, at attempt {job['attempt']}."
    return f"{how} {job['error']}." if job["error"] else how


def _sleep(seconds: float) -> None:
    Event().wait(seconds)
