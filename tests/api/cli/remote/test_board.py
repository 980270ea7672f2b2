"""The board of `milepost top` on terminals of any size, and with any text in it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console

from api.cli.remote.board import MOST, Board, as_lines, on_screen

NOW = datetime(2026, 3, 2, 14, 3, tzinfo=UTC)
STEPS = (("queued", "Queued"), ("creating", "Creating Server"), ("running", "Running"))


def job(job_id: str, health: str = "ok", *reasons: str) -> dict[str, Any]:
    began = (NOW - timedelta(minutes=4)).isoformat()
    document: dict[str, Any] = {
        "id": job_id,
        "agent_id": f"agent-of-{job_id}",
        "attempt": 1,
        "status": "provisioning",
        "outcome": None,
        "steps": [
            {"id": name, "label": label, "status": status}
            for (name, label), status in zip(STEPS, ("completed", "active", "pending"), strict=True)
        ],
        "error": None,
        "health": {"state": health, "sentence": None},
        "claimed_at": began,
        "created_at": began,
        "completed_at": None,
        "updated_at": began,
        "version": 2,
    }
    if reasons:
        document["attention"] = [
            {"reason": "late", "since": began, "text": reason} for reason in reasons
        ]
    return document


def shown(board: Board, width: int, height: int | None = None) -> list[str]:
    out = Console(width=width, height=height, file=None)
    with out.capture() as captured:
        out.print(on_screen(board, NOW, width, height))
    return captured.get().splitlines()


@pytest.mark.parametrize("width", [40, 72, 80, 200])
def test_hostile_and_wide_text_stays_within_the_columns(width: int) -> None:
    bad = "\x1b[2J\u202e構築構築構築" * 9
    board = Board([job(bad, "late", bad)], [job(bad)])

    lines = shown(board, width)

    assert max(map(cell_len, lines)) <= width
    assert "\x1b" not in "".join(lines)
    assert "\u202e" not in "".join(lines)


def test_a_narrow_terminal_shows_which_job_and_what_it_is() -> None:
    board = Board([job("job-7", "unresponsive", "No heartbeat."), job("x" * 200, "late", "-")], [])

    lines = shown(board, 40, 24)

    assert lines[1].rstrip() == "job-7  provisioning, unresponsive"
    assert lines[3].startswith("xxx")
    assert lines[3].rstrip().endswith("…  provisioning, late")


@pytest.mark.parametrize("width", [40, 80])
@pytest.mark.parametrize("height", [12, 24, 50])
def test_long_lists_are_cut_to_the_height_and_say_so(width: int, height: int) -> None:
    board = Board(
        [job(f"silent-{number}", "late", "No heartbeat for 4 min. " * 9) for number in range(99)],
        [job(f"job-{number}") for number in range(MOST)],
    )

    lines = shown(board, width, height)

    assert len(lines) <= height
    assert "Needs somebody: 99 jobs" in lines[0]
    assert f"Under way: {MOST} jobs or more" in "\n".join(lines)
    assert "\n".join(lines).count("more jobs") == 2


def test_once_shows_all_jobs_whatever_the_height() -> None:
    board = Board([], [job(f"job-{number}") for number in range(60)])

    lines = shown(board, 80)

    assert sum(line.startswith("job-") for line in lines) == 60
    assert lines[-1].endswith("4 min 0 s")


def test_a_line_that_differs_by_time_only_has_the_same_key() -> None:
    earlier, later = (
        as_lines(Board([job("job-1", "late", f"No heartbeat for {seconds} s.")], []))
        for seconds in (200, 210)
    )

    assert earlier.keys() == later.keys()
    assert earlier != later


def test_a_retry_counts_from_when_it_was_ordered() -> None:
    waiting = job("job-1") | {
        "status": "pending",
        "claimed_at": None,
        "waiting_since": (NOW - timedelta(seconds=4)).isoformat(),
    }

    assert shown(Board([], [waiting]), 100)[-1].split()[-2:] == ["4", "s"]
