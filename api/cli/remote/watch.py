"""watch: show a job's steps live, over the stream of a running server."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any, Final, NamedTuple
from urllib.parse import quote

import click
from rich.live import Live as Display

from api.cli.remote.connecting import asking, remote, url_option
from api.cli.remote.connection import Connection
from api.cli.remote.inbox import Inbox
from api.cli.remote.seen import Seen, seen_instance, seen_job
from api.cli.remote.showing import Json, Lines, Screen, Showing
from api.cli.terminal.output import as_json
from api.cli.terminal.tables import console
from api.client.following import Ended, Event, Live, Lost
from api.client.server import NO_MILEPOST, NoServer, Refused, RemoteServer

TICK_SECONDS: Final = 1.0
LOOK_SECONDS: Final = 10.0
"""How often a job is looked at, at most. If it is late or unresponsive, its sentence ages by time
alone."""
LOOK_TIMEOUT_SECONDS: Final = 3.0
"""How long such a look may take. The seconds on the screen stand still meanwhile."""
FAILED: Final = 1


class Watched(NamedTuple):
    """What is watched: its document's path, and what is seen of that document."""

    path: str
    seen: Callable[[Mapping[str, Any]], Seen]
    stream: str


@click.command()
@click.argument("job_id", metavar="[JOB]", required=False)
@click.option("--agent", "agent_id", help="Watch this agent's newest job, and then the next ones.")
@url_option
@as_json
@click.pass_context
def watch(
    context: click.Context,
    job_id: str | None,
    agent_id: str | None,
    url: str | None,
    as_json: bool,
) -> None:
    """Show JOB's steps live until it ends; exit with 1 if it fails.

    The command asks a running server, and goes on where it was after a lost connection. Ctrl-C
    leaves. With --agent it shows each job of the agent and ends with Ctrl-C only. If the output is
    no terminal, it prints one line per change; with --json, one object per event.
    """
    if (job_id is None) == (agent_id is None):
        raise click.UsageError("name either a JOB or an --agent")
    where = remote(url)
    server = RemoteServer(where.url, where.token)
    watched = _job(job_id) if job_id is not None else _agent(agent_id or "")
    out = console()
    with asking(where):
        if as_json or not out.is_terminal:
            last = follow(server, watched, _growing(as_json, agent_id))
        else:
            with Display(console=out, auto_refresh=False) as display:
                last = follow(server, watched, Screen(display))
    if last.outcome != "running":
        context.exit(FAILED)


def follow(server: RemoteServer, watched: Watched, showing: Showing) -> Seen:
    """Show what the stream tells until the job has ended; return what was seen last."""
    inbox, connection = Inbox(server, watched.stream), Connection()
    seen: Seen | None = None
    looked_at = -LOOK_SECONDS
    while True:
        match inbox.next(TICK_SECONDS):
            case Event() as event:
                seen = watched.seen(event.document)
                showing.event(event)
            case Live() | Lost() as news:
                connection.take(news)
                showing.stream(news, connection)
            case Ended(position):
                if seen is None:
                    raise NoServer(NO_MILEPOST)
                showing.end(position, seen)
                return seen
            case None if seen and connection.is_live:
                if is_due(seen, connection, monotonic() - looked_at):
                    seen, looked_at = _with_health_of_now(seen, server, watched), monotonic()
        showing.state(seen, connection)


def is_due(seen: Seen, connection: Connection, seconds: float) -> bool:
    """Tell whether to look at a job at which the last look was so many seconds ago.

    A look that was refused, or that brought the same, is not repeated earlier than another one.
    """
    if seconds < LOOK_SECONDS:
        return False
    if seen.health != "ok" or not seen.says_when:
        return True
    return seen.changes_at is not None and connection.now() > seen.changes_at


def _growing(as_json: bool, agent_id: str | None) -> Showing:
    return Json() if as_json else Lines(several=agent_id is not None)


def _with_health_of_now(seen: Seen, server: RemoteServer, watched: Watched) -> Seen:
    try:
        now = watched.seen(server.ask("GET", watched.path, timeout=LOOK_TIMEOUT_SECONDS))
    except (NoServer, Refused):
        return seen  # the stream finds that out, too, and says so
    # What is newer comes over the stream, in its order.
    if now.changed != seen.changed:
        return seen
    return seen._replace(
        health=now.health,
        sentence=now.sentence,
        changes_at=now.changes_at,
        says_when=now.says_when,
    )


def _job(job_id: str) -> Watched:
    path = f"/api/jobs/{quote(job_id, safe='')}"
    return Watched(path, seen_job, f"{path}/stream")


def _agent(agent_id: str) -> Watched:
    path = f"/api/agents/{quote(agent_id, safe='')}"
    return Watched(f"{path}/instance", seen_instance, f"{path}/stream")
