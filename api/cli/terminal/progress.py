"""A progress bar on stderr, if stderr is a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

Reached = Callable[[int, int | None], None]


@contextmanager
def progress(doing: str, what: str) -> Iterator[Reached]:
    """Show how much of a task is done, how fast it advances, and how long the rest takes.

    Yields a function to call with the amount done and the total, None if unknown. Its first call
    sets the start: the rate does not count what was done before it.
    """
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rate]} " + f"{what}/s,"),
        TimeRemainingColumn(),
        TextColumn("left"),
    )
    with Progress(
        *columns,
        console=console,
        transient=True,
        disable=not console.is_terminal,
        # On a terminal, the command's own output goes above the bar.
        redirect_stdout=sys.stdout.isatty(),
    ) as bar:
        task = bar.add_task(doing, total=None, rate="-")
        began_at: int | None = None

        def reached(done: int, total: int | None) -> None:
            nonlocal began_at
            if began_at is None:
                began_at = done
                bar.reset(task, completed=done, total=total)
            seconds = bar.tasks[0].elapsed or 0
            rate = f"{(done - began_at) / seconds:,.0f}" if seconds else "-"
            bar.update(task, completed=done, total=total, rate=rate)

        yield reached
