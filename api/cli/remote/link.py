"""link: make a signed link, with which somebody without a token may read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import click

from api.cli.remote.connecting import asking, remote, url_option
from api.cli.terminal.options import Lifetime
from api.cli.terminal.output import as_json, print_json
from api.client.server import RemoteServer
from api.schemas.ids import in_path

OPENS = ("page", "stream", "badge", "job", "instance")


@click.command()
@click.argument("job_id", metavar="[JOB]", required=False)
@click.option("--agent", "agent_id", help="Link to this agent in place of a job.")
@click.option("--workflow", help="Link to the badge of this workflow's last run.")
@click.option(
    "--opens",
    type=click.Choice(OPENS),
    help="What the link opens: page, unless it is a workflow's. job is for jobs, and instance for "
    "agents.",
)
@click.option(
    "--expires",
    "lifetime",
    type=Lifetime(),
    default="1d",
    show_default=True,
    help="When the link ends: after 90d or 12h, or at a date or time like 2026-12-31.",
)
@url_option
@as_json
def link(
    job_id: str | None,
    agent_id: str | None,
    workflow: str | None,
    opens: str | None,
    lifetime: timedelta | datetime,
    url: str | None,
    as_json: bool,
) -> None:
    """Make a link to read one thing about JOB, an agent or a workflow.

    The command asks a running server. The link opens one path, and ends with the token that the
    command uses.
    """
    named = [
        (kind, name)
        for kind, name in (("jobs", job_id), ("agents", agent_id), ("workflows", workflow))
        if name is not None
    ]
    if len(named) != 1:
        raise click.UsageError("name either a JOB, an --agent or a --workflow")
    left = lifetime if isinstance(lifetime, timedelta) else lifetime - datetime.now(UTC)
    where = remote(url)
    [(kind, name)] = named
    about = f"{kind}/{in_path(name)}"
    body = {"expires_in": int(left.total_seconds()), **({"opens": opens} if opens else {})}
    with asking(where):
        made = RemoteServer(where.url, where.token).ask("POST", f"/api/{about}/links", body)
    if as_json:
        return print_json(made)
    click.echo(made["url"])
    click.echo(f"It works for anybody who has it, until {made['expires_at']}.", err=True)
    return None
