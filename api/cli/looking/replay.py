"""replay: play a job's UI steps as its user saw them."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from itertools import chain
from math import isfinite
from threading import Event

import click
from click.core import ParameterSource
from rich.live import Live

from api.cli.looking.playing import as_line, frames, on_screen, play
from api.cli.terminal.opening import opened
from api.cli.terminal.output import INTERRUPTED
from api.cli.terminal.tables import console
from domain.errors import JobNotFound
from domain.log.reading.contract import NEWEST
from projections.reading.entries import Wanted


@click.command()
@click.argument("job_id", metavar="JOB")
@click.option(
    "--speed",
    type=click.FloatRange(min=0, min_open=True),
    default=10.0,
    show_default=True,
    help="How many times as fast as the job was.",
)
@click.option("--attempt", type=click.IntRange(1, NEWEST), help="Play only this attempt.")
@click.pass_context
def replay(context: click.Context, job_id: str, speed: float, attempt: int | None) -> None:
    """Play JOB's steps as its user saw them; Ctrl-C ends the replay.

    The replay shortens each wait to at most 3 seconds. If the output is no terminal, it prints
    one line per change and waits only if --speed is given.
    """
    if not isfinite(speed):
        raise click.UsageError("--speed must be a finite number")
    with opened(only_looks=True) as services:
        if services.reader.instance(job_id) is None:
            raise JobNotFound(f"There is no job {job_id!r}.")
        seen = frames(services.history.entries(job_id, Wanted()), services.workflows, attempt)
        first = next(seen, None)
        if first is None:
            what = f"attempt {attempt}" if attempt else "event that can be read"
            raise click.ClickException(f"job {job_id!r} has no {what}")
        out = console()
        asked = context.get_parameter_source("speed") is ParameterSource.COMMANDLINE
        pause = _sleep if out.is_terminal or asked else None
        screen: AbstractContextManager[Live | None] = (
            Live(console=out, auto_refresh=False) if out.is_terminal else nullcontext()
        )
        try:
            with screen as live:
                show = on_screen(live, job_id) if live else as_line
                play(chain([first], seen), speed, show, pause)
        except KeyboardInterrupt:
            context.exit(INTERRUPTED)


def _sleep(seconds: float) -> None:
    Event().wait(seconds)
