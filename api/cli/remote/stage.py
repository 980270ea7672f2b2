"""The jobs of the demo, as a table that changes or as one line for each change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import click
from rich import box
from rich.table import Table
from rich.text import Text

from api.cli.terminal.steps import COLOURS, MARKS
from api.cli.terminal.tables import status_text
from api.demo.playing import Row
from domain.unseen import visible

HEALTH: Final = {"late": "yellow", "unresponsive": "bold red"}


def as_table(rows: Sequence[Row]) -> Table:
    """Return the jobs as a table that fits into 80 columns."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, expand=True)
    table.add_column("Agent", no_wrap=True)
    table.add_column("Its user sees", no_wrap=True)
    table.add_column("Status", no_wrap=True)
    table.add_column("Last", no_wrap=True, overflow="ellipsis", ratio=1)
    for row in rows:
        table.add_row(row.part.agent, _seen(row.job), _status(row.job), visible(row.words))
    return table


def as_line(row: Row) -> str:
    """Return a job as one line."""
    seen, status = _seen(row.job).plain, _status(row.job).plain
    return visible(f"{row.part.agent:9}  {seen:29}  {status:12}  {row.words}")


class Lines:
    """Prints a line for each job that has changed since it was last shown."""

    def __init__(self) -> None:
        self._shown = dict[str, str]()

    def __call__(self, rows: Sequence[Row]) -> None:
        """Print the lines."""
        for row in rows:
            line = as_line(row)
            if row.job and self._shown.get(row.job_id) != line:
                self._shown[row.job_id] = line
                click.echo(line)


def _seen(job: dict[str, Any] | None) -> Text:
    """Return the marks of all UI steps, and the name of the one that counts now."""
    if job is None:
        return Text()
    steps = job["steps"]
    now = next((step for step in steps if step["status"] in ("active", "error")), steps[-1])
    marks = Text().join(Text(MARKS[step["status"]], COLOURS[step["status"]]) for step in steps)
    return Text(" ").join((marks, Text(visible(now["label"]), COLOURS[now["status"]])))


def _status(job: dict[str, Any] | None) -> Text:
    """Return the job's status, or its health if that is worse than ok."""
    if job is None:
        return Text()
    state = job["health"]["state"]
    if state != "ok":
        return Text(state, HEALTH.get(state, ""))
    return status_text(job["status"], job["outcome"])
