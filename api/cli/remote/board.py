"""The board of `top`: the jobs that need somebody, and the jobs in progress."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from api.cli.remote.seen import Seen, seen_job
from api.cli.terminal.output import counted
from api.cli.terminal.steps import COLOURS, MARKS
from api.client.server import NO_MILEPOST, NoServer, RemoteServer
from domain.unseen import visible
from projections.views.durations import span

UNDER_WAY: Final = ("provisioning", "pending", "stopping")
MOST: Final = 200
"""How many jobs of each list are asked for; a page of the API has no more."""
WIDE: Final = 72
"""The least number of columns that have room for all of a job's columns."""
STEP: Final = 32
"""The most columns of a step's marks and label."""
SHORTEST_ID: Final = 8
"""How many columns of a job's id are shown at least."""
LINES_OF_ONE: Final = 4
"""How many lines a job takes that needs somebody: itself, and its reason."""


class Board(NamedTuple):
    """The documents of the jobs that need somebody, the worst first, and of those under way.

    A list of `MOST` jobs may have more.
    """

    attention: Sequence[dict[str, Any]]
    under_way: Sequence[dict[str, Any]]

    def without_time(self) -> object:
        """Return what does not change by time alone."""
        return [
            (job["id"], job["version"], [reason["reason"] for reason in job.get("attention", ())])
            for jobs in self
            for job in jobs
        ]


def board_of(server: RemoteServer, position: int = 0) -> Board:
    """Return the board, with every event up to the position; raise `NoServer` or `Refused`."""
    attention = _jobs(server, "attention=true", position)
    listed = [_jobs(server, f"status={status}", position) for status in UNDER_WAY]
    ids = {job["id"] for job in attention}
    return Board(attention, [job for jobs in listed for job in jobs if job["id"] not in ids])


def _jobs(server: RemoteServer, chosen: str, position: int) -> list[dict[str, Any]]:
    seen = f"&min_position={position}" if position else ""
    jobs = server.ask("GET", f"/api/jobs?{chosen}&limit={MOST}{seen}").get("jobs")
    if not isinstance(jobs, list):
        raise NoServer(NO_MILEPOST)
    return jobs


def on_screen(
    board: Board, now: datetime, width: int, height: int | None = None, why_old: str = ""
) -> Group:
    """Return the board as it looks at a time, cut to the height if one is given."""
    parts: list[RenderableType] = [Text(visible(why_old), "yellow")] if why_old else []
    reasons = rows = MOST
    if height is not None:
        # Two headings, two rests, the empty line and the table's head.
        room = max(LINES_OF_ONE + 1, height - 6 - len(parts))
        reasons = min(len(board.attention), max(1, room // 2 // LINES_OF_ONE))
        rows = max(1, room - LINES_OF_ONE * reasons)
    parts.append(Text(_heading("Needs somebody", board.attention), "bold"))
    for job in board.attention[:reasons]:
        parts += _attention(job, now, None if height is None else width)
    parts += _rest(len(board.attention) - reasons)
    parts += [Text(), Text(_heading("Under way", board.under_way), "bold")]
    if board.under_way:
        parts.append(_table(board.under_way[:rows], now, is_wide=width >= WIDE))
    parts += _rest(len(board.under_way) - rows)
    return Group(*parts)


def as_lines(board: Board) -> dict[tuple[object, ...], str]:
    """Return a line for each job: what its user sees, and why it needs somebody.

    A key is the part of its line that does not change by time alone.
    """
    lines: dict[tuple[object, ...], str] = {}
    for job in board.attention:
        words = ("needs somebody", *_words(seen_job(job)))
        kinds = tuple(reason["reason"] for reason in job["attention"])
        lines[(*words, kinds)] = "  ".join((*words, *_reasons(job)))
    for job in board.under_way:
        words = ("under way", *_words(seen_job(job)))
        lines[words] = "  ".join(words)
    return lines


def _heading(what: str, jobs: Sequence[object]) -> str:
    more = " or more" if len(jobs) >= MOST else ""
    return f"{what}: {counted(len(jobs), 'job')}{more}" if jobs else f"{what}: nothing"


def _rest(number: int) -> list[Text]:
    return [Text(f"… and {counted(number, 'more job')}", "dim")] if number > 0 else []


def _attention(job: dict[str, Any], now: datetime, width: int | None) -> Iterator[Text]:
    """Yield the lines of a job and its worst reason, or with no width all of its reasons."""
    seen = seen_job(job)
    name, state = Text(visible(seen.job_id), "cyan"), seen.state()
    if width is not None:
        name.truncate(max(SHORTEST_ID, width - state.cell_len - 2), overflow="ellipsis")
    words, lasted = [name, state], Text(_for(seen, now), "dim")
    if width is None or name.cell_len + state.cell_len + lasted.cell_len + 4 <= width:
        words.append(lasted)
    yield Text("  ", overflow="ellipsis", no_wrap=True).join(words)
    for reason in _reasons(job)[: None if width is None else 1]:
        text = Text(reason, overflow="fold")
        if width is not None:
            # Words that do not fit begin a new line, so two lines' words may take three.
            text.truncate(2 * width, overflow="ellipsis")
        yield text


def _reasons(job: dict[str, Any]) -> list[str]:
    return [visible(reason["text"]) for reason in job["attention"]]


def _words(seen: Seen) -> tuple[str, ...]:
    agent = visible(seen.agent_id or "-")
    return visible(seen.job_id), agent, seen.state().plain, visible(seen.present_step.label)


def _table(jobs: Sequence[dict[str, Any]], now: datetime, *, is_wide: bool) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, expand=True, header_style="dim")
    table.add_column("Job", no_wrap=True, overflow="ellipsis", ratio=1)
    if is_wide:
        table.add_column("Agent", no_wrap=True, overflow="ellipsis", ratio=1)
        table.add_column("Status", no_wrap=True)
    # The step is what people look for, so a wide table shows it whole.
    share = None if is_wide else 1
    table.add_column(
        "Its user sees", no_wrap=True, overflow="ellipsis", ratio=share, max_width=STEP
    )
    table.add_column("For", no_wrap=True, justify="right")
    for seen in map(seen_job, jobs):
        whose = (Text(visible(seen.agent_id or "-")), seen.state()) if is_wide else ()
        job, lasted = Text(visible(seen.job_id), "cyan"), _for(seen, now)
        table.add_row(job, *whose, _step(seen, is_wide=is_wide), lasted)
    return table


def _step(seen: Seen, *, is_wide: bool) -> Text:
    step = seen.present_step
    label = Text(visible(step.label), COLOURS[step.status])
    marked = seen.steps if is_wide else [step]
    marks = Text().join(Text(MARKS[each.status], COLOURS[each.status]) for each in marked)
    return Text(" ").join((marks, label))


def _for(seen: Seen, now: datetime) -> str:
    return span(int((now - seen.began).total_seconds())) if seen.began else ""
