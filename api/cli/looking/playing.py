"""Playing a job's UI steps, frame by frame, as its user saw them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from typing import Final, NamedTuple

import click
from rich.console import Group
from rich.live import Live
from rich.panel import Panel
from rich.text import Text

from api.cli.terminal.options import shown_time
from api.cli.terminal.output import on_one_line
from api.cli.terminal.steps import steps_text
from api.cli.terminal.tables import status_text
from api.representations.job import shown_steps
from domain.unseen import visible, visible_lines
from domain.workflows.definition import Workflows
from projections.reading.entries import Entry
from projections.views.durations import span
from projections.views.instance import InstanceStatus
from projections.views.ui_steps import ShownStep

LONGEST_SECONDS: Final = 3.0
"""The longest wait between two frames, in seconds."""


class Frame(NamedTuple):
    """What the user saw from a time on. The frame before it was shown for `since_last`."""

    version: int
    at: datetime
    since_last: timedelta
    attempt: int
    status: InstanceStatus
    steps: list[ShownStep]
    error: str | None


def frames(
    entries: Iterable[Entry], workflows: Workflows, attempt: int | None = None
) -> Iterator[Frame]:
    """Yield a frame for every event that changed what the user saw."""
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
    seen: Iterable[Frame],
    speed: float,
    show: Callable[[Frame, str], None],
    pause: Callable[[float], object] | None,
) -> None:
    """Show each frame at its time, with a note on how long the frame before it was shown."""
    for frame in seen:
        lasted = frame.since_last.total_seconds()
        note = f"after {span(lasted)}" if lasted else ""
        if pause and lasted:
            pause(min(LONGEST_SECONDS, lasted / speed))
            if lasted / speed > LONGEST_SECONDS:
                note += f", played in {LONGEST_SECONDS:g} s"
        show(frame, note)


def on_screen(live: Live, job_id: str) -> Callable[[Frame, str], None]:
    """Return a function that replaces the shown frame by the next one."""

    def show(frame: Frame, note: str) -> None:
        lines = [steps_text(frame.steps, "\n"), Text()]
        if frame.error:
            lines.append(Text(visible_lines(frame.error), "red"))
        lines.append(Text("  ").join([status_text(frame.status), Text(_when(frame, note), "dim")]))
        title = Text(f"{visible(job_id)}, attempt {frame.attempt}")
        live.update(Panel(Group(*lines), title=title, expand=False), refresh=True)

    return show


def as_line(frame: Frame, note: str) -> None:
    """Print a frame as one line."""
    steps, error = (
        steps_text(frame.steps).plain,
        f"  {on_one_line(frame.error)}" if frame.error else "",
    )
    click.echo(visible(f"{_when(frame, note)}  {frame.status}  {steps}{error}"))
    sys.stdout.flush()


def _when(frame: Frame, note: str) -> str:
    return f"{shown_time(frame.at)} UTC" + (f" ({note})" if note else "")
