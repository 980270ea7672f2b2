"""One job on the screen: its steps, how long it takes, and how alive it is."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from rich.text import Text

from api.cli.remote.seen import HEALTH, Seen
from api.cli.terminal.options import shown_time
from api.cli.terminal.output import counted, on_one_line
from api.cli.terminal.steps import steps_text
from api.cli.terminal.tables import status_text
from domain.unseen import visible, visible_lines
from projections.views.durations import span
from projections.views.gist import gist

ERROR_LINES: Final = 8
"""How many lines of an error stay on the screen, which its steps must not leave."""
ERROR_LINE: Final = 400
"""How many characters of such a line."""


def on_screen(seen: Seen | None, now: datetime, trouble: str) -> Text:
    """Return the job as it looks at a time; `trouble` says that what is shown may be old."""
    parts = _parts(seen, now) if seen else []
    if trouble:
        parts.append(Text(visible(trouble), "yellow"))
    whole = Text("\n\n").join(parts)
    # A word that is longer than a narrow terminal goes on in its next line.
    whole.overflow = "fold"
    return whole


def _parts(seen: Seen, now: datetime) -> list[Text]:
    name = [Text(visible(seen.job_id), "bold"), *_names(seen)]
    state = [status_text(seen.status, seen.outcome), *_lasted(seen, now)]
    heading = Text("\n").join((Text(", ").join(name), Text(", ").join(state)))
    parts = [heading, steps_text(seen.steps, "\n")]
    if seen.error:
        parts.append(Text(_shortened(seen.error), "red"))
    if seen.sentence and not seen.has_ended:
        parts.append(Text(visible(seen.sentence), HEALTH.get(seen.health, "dim")))
    return parts


def on_line(seen: Seen, *, with_id: bool) -> str:
    """Return the job on one line, with the time of its newest event."""
    parts = [f"{shown_time(seen.changed)} UTC", *([visible(seen.job_id)] if with_id else [])]
    parts += [seen.state().plain, steps_text(seen.steps).plain]
    if seen.error:
        parts.append(visible(on_one_line(gist(seen.error)[: ERROR_LINES * ERROR_LINE]) or ""))
    if seen.health != "ok" and seen.sentence:
        parts.append(visible(seen.sentence))
    return "  ".join(parts)


def _names(seen: Seen) -> list[Text]:
    agent = [Text(f"agent {visible(seen.agent_id)}")] if seen.agent_id else []
    return [*agent, *([Text(f"attempt {seen.attempt}")] if seen.attempt > 1 else [])]


def _lasted(seen: Seen, now: datetime) -> list[Text]:
    if seen.began is None:
        return []
    until, how = ((seen.ended or now), "after") if seen.has_ended else (now, "for")
    return [Text(f"{how} {span(int((until - seen.began).total_seconds()))}")]


def _shortened(error: str) -> str:
    """Return the end of an error, where a log says what went wrong."""
    lines = error.splitlines()
    shown = [line[:ERROR_LINE] for line in lines[-ERROR_LINES:]]
    if (more := len(lines) - ERROR_LINES) > 0:
        shown.insert(0, f"… {counted(more, 'line')} before these")
    return visible_lines("\n".join(shown))
