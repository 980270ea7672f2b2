"""replay: a job's UI steps once more, as its user saw them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, timedelta
from threading import Event
from typing import NamedTuple

import click
from click.core import ParameterSource
from rich.console import Group
from rich.live import Live
from rich.panel import Panel
from rich.text import Text

from api.cli.moments import shown_time
from api.cli.output import console, opened, printable, span, status_text
from api.cli.steps import steps_text
from api.representations import shown_steps
from domain.errors import JobNotFound
from domain.workflow import Workflows
from projections.audit import Entry, Wanted
from projections.instance import InstanceStatus
from projections.ui_steps import ShownStep

LONGEST_SECONDS = 3.0
"""How long a silence is played at most."""
INTERRUPTED = 130
"""The exit status of a program that Ctrl-C ended: 128 and the signal's number."""


class Frame(NamedTuple):
    """What the user saw from a moment on. `since_last` is how long the frame before was shown."""

    version: int
    at: datetime
    since_last: timedelta
    attempt: int
    status: InstanceStatus
    steps: list[ShownStep]
    error: str | None


@click.command()
@click.argument("job_id", metavar="JOB")
@click.option(
    "--speed",
    type=click.FloatRange(min=0, min_open=True),
    default=10.0,
    show_default=True,
    help="How many times as fast as it was.",
)
@click.option("--attempt", type=click.IntRange(min=1), help="Only this attempt.")
@click.pass_context
def replay(context: click.Context, job_id: str, speed: float, attempt: int | None) -> None:
    """Play JOB's steps as its user saw them; Ctrl-C ends it.

    A silence is played for three seconds at most. Where the output is no terminal, lines are
    printed without waiting, unless --speed is given.
    """
    with opened(only_if_there=True) as here:
        if here.reader.instance(job_id) is None:
            raise JobNotFound(f"There is no job {job_id!r}.")
        seen = list(frames(here.history.entries(job_id, Wanted()), here.workflows, attempt))
    if not seen:
        raise click.ClickException(f"job {job_id!r} has no attempt {attempt}")
    out = console()
    asked = context.get_parameter_source("speed") is ParameterSource.COMMANDLINE
    pause = _sleep if out.is_terminal or asked else None
    screen: AbstractContextManager[Live | None] = (
        Live(console=out, auto_refresh=False) if out.is_terminal else nullcontext()
    )
    try:
        with screen as live:
            play(seen, speed, _on(live, job_id) if live else _line, pause)
    except KeyboardInterrupt:
        context.exit(INTERRUPTED)


def frames(
    entries: Iterable[Entry], workflows: Workflows, attempt: int | None = None
) -> Iterator[Frame]:
    """Return a frame for every event after which the user saw something else."""
    last: Frame | None = None
    for entry in entries:
        instance = entry.after
        at = instance.updated_at
        if at is None or attempt not in (None, instance.attempt.number):
            continue
        final = instance.attempt.final
        frame = Frame(
            instance.version,
            at,
            max(at - last.at, timedelta()) if last else timedelta(),
            instance.attempt.number,
            instance.status,
            shown_steps(instance, workflows),
            final.error if final else None,
        )
        if last is None or frame[3:] != last[3:]:
            yield frame
            last = frame


def play(
    seen: list[Frame],
    speed: float,
    show: Callable[[Frame, str], None],
    pause: Callable[[float], object] | None,
) -> None:
    """Show each frame when its time has come, with a word about how long the last one stood."""
    for frame in seen:
        lasted = frame.since_last.total_seconds()
        word = f"after {span(lasted)}" if lasted else ""
        if pause and lasted:
            pause(min(lasted / speed, LONGEST_SECONDS))
            if lasted / speed > LONGEST_SECONDS:
                word += f", played in {LONGEST_SECONDS:g} s"
        show(frame, word)


def _on(live: Live, job_id: str) -> Callable[[Frame, str], None]:
    def show(frame: Frame, word: str) -> None:
        lines = [steps_text(frame.steps, "\n"), Text()]
        if frame.error:
            lines.append(Text(printable(frame.error), "red"))
        lines.append(Text("  ").join([status_text(frame.status), Text(_when(frame, word), "dim")]))
        title = Text(f"{printable(job_id)}, attempt {frame.attempt}")
        live.update(Panel(Group(*lines), title=title, expand=False), refresh=True)

    return show


def _line(frame: Frame, word: str) -> None:
    steps, error = steps_text(frame.steps).plain, f"  {frame.error}" if frame.error else ""
    click.echo(printable(f"{_when(frame, word)}  {frame.status}  {steps}{error}"))
    sys.stdout.flush()


def _when(frame: Frame, word: str) -> str:
    return f"{shown_time(frame.at)} UTC" + (f" ({word})" if word else "")


def _sleep(seconds: float) -> None:
    Event().wait(seconds)
