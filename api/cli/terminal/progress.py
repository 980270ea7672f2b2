"""A bar on stderr for what takes a while, where somebody looks at it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

Reached = Callable[[int, int | None], None]


@contextmanager
def progress(doing: str, what: str) -> Iterator[Reached]:
    """Show how far something is, how fast, and how long it will take.

    Yields what to call with how much is done, and of how much, if that is known. The first call
    says where it begins: what was done before says nothing of how long the rest will take.
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
        # What a command prints meanwhile goes above the bar, on a terminal only.
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
