"""`milepost audit` and `milepost replay`: a job's history and its steps, at a terminal."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from eventsourcing.persistence import StoredEvent
from rich.console import Console
from rich.live import Live

from api.cli.looking import trail
from api.cli.looking.playing import Frame, frames, on_screen, play
from domain.log.store import Append
from projections.reading.entries import Wanted
from tests.support.people.shell import ESCAPE, Shell
from tests.support.web.site import MACHINE, Site


def lived(site: Site) -> None:
    """Two attempts of one job; the second one is silent for a quarter of an hour."""
    site.register()
    site.clock.advance(10)
    site.report(status="provisioning", step="vm_created", workflow_run_id=1, mode="full")
    site.clock.advance(50)
    site.report(status="failed", error="exit 1")
    site.clock.advance(40)
    site.report(status="provisioning", workflow_run_id=2)
    site.report(type="heartbeat", workflow_run_id=1)
    site.clock.advance(900)
    site.report(status="running", **MACHINE)


def line(said: str, version: int) -> str:
    [found] = [line for line in said.splitlines() if f" {version} " in line[18:30]]
    return found


# audit


def test_a_history_is_a_line_for_every_event(shell: Shell, database_site: Site) -> None:
    lived(database_site)

    said = shell("audit", "job-1")

    assert "Time (UTC)" in said
    for version, words in {
        1: ["2026-03-02 12:00:00", "JobQueued", "agent_id agent-1", "admin", "pending"],
        2: ["12:00:10", "StepReported", "step vm_created", "mode full", "x-signature:"],
        3: ["12:01:00", "status failed, error exit 1", "failed vm_created"],
        4: ["AttemptStarted", "number 2", "Milepost", "pending attempt 2"],
        6: ["HeartbeatReceived", "no change, of attempt 1"],
        7: ["MetadataReported", "+ server_id, server_ip, tailscale_ip"],
        8: ["12:16:40", "running attempt 2"],
    }.items():
        for word in words:
            assert word in line(said, version), (word, line(said, version))
    assert "State now:" in said
    assert "✓ Running" in said


def test_what_changed_stands_out(database_site: Site) -> None:
    """Bold, where the rest is dim."""
    lived(database_site)
    entries = list(database_site.services.history.entries("job-1", Wanted()))

    failed = trail._state_after(entries[2], database_site.services.workflows, wide=True)
    running = trail._state_after(entries[7], database_site.services.workflows, wide=False)

    styles = {failed.plain[span.start : span.end]: str(span.style) for span in failed.spans}
    assert "bold" in styles["failed"]
    assert running.plain == "running attempt 2"
    told = {running.plain[span.start : span.end]: str(span.style) for span in running.spans}
    assert told["attempt 2"] == "dim"


def test_a_history_for_a_program_is_what_http_says(shell: Shell, database_site: Site) -> None:
    lived(database_site)

    told = database_site.read("/api/jobs/job-1/events")["events"]

    assert shell.lines("audit", "job-1") == told
    assert len(told) == 8


def test_options_choose_events(shell: Shell, database_site: Site) -> None:
    lived(database_site)
    database_site.project()

    for options, versions in (
        (("--kind", "StepReported,JobQueued"), [1, 2]),
        (("--kind", "StepReported", "--kind", "JobQueued"), [1, 2]),
        (("--attempt", "1"), [1, 2, 3, 6]),
        (("--since", "2026-03-02T12:01:40Z", "--until", "2026-03-02T13:10:00+01:00"), [4, 5, 6]),
        (("--version", "3"), [1, 2, 3]),
        (("--at", "2026-03-02T12:01:39Z"), [1, 2, 3]),
        (("--version", "3", "--kind", "StatusReported"), [3]),
        (("--attempt", "7"), []),
    ):
        found = shell.lines("audit", "job-1", *options)
        assert [event["version"] for event in found] == versions, options


def test_a_history_that_ends_earlier_says_how_the_job_stood_then(
    shell: Shell, database_site: Site
) -> None:
    lived(database_site)

    said = shell("audit", "job-1", "--at", "2026-03-02T12:01:30Z")

    assert "State at version 3:" in said
    assert "✗ Installing Dependencies" in said
    assert "exit 1" in said
    assert "running" not in said


def test_no_events_are_a_sentence(shell: Shell, database_site: Site) -> None:
    database_site.register()

    assert "No such events." in shell("audit", "job-1", "--kind", "JobTimedOut")


def test_an_event_that_cannot_be_read_is_a_line_too(shell: Shell, database_site: Site) -> None:
    database_site.register()
    row = StoredEvent("job-1", 2, f"Job{ESCAPE}[2JPainted", b"{}")
    database_site.deployment.milepost.store.transact({}, [], lambda _: Append([row]))

    said = shell("audit", "job-1")

    assert "unknown" in line(said, 2)
    assert ESCAPE not in said


def printed(site: Site, width: int, at_once: int = trail.AT_ONCE) -> list[str]:
    """Return the lines of a job's history on a terminal of that width."""
    output = io.StringIO()
    entries = site.services.history.entries("job-1", Wanted())
    out = Console(file=output, width=width, highlight=False)
    trail.print_trail(out, entries, site.services.workflows, at_once)
    return output.getvalue().splitlines()


def test_a_long_history_goes_on_in_columns(memory_site: Site) -> None:
    """It is printed piece by piece, under one heading."""
    lived(memory_site)

    said = printed(memory_site, width=200, at_once=3)

    assert said != printed(memory_site, width=200)
    assert sum("Time (UTC)" in line for line in said) == 1
    starts = {text.index("x-signature:") for text in said if "x-signature:" in text}
    assert len(starts) == 1


def test_a_narrow_terminal_gets_the_short_story(memory_site: Site) -> None:
    lived(memory_site)

    said = printed(memory_site, width=90)

    assert max(map(len, said)) <= 90
    assert any("03-02 12:00:10" in text for text in said)
    assert not any("x-signature" in text for text in said)


def test_80_columns_show_the_whole_name_of_each_step(memory_site: Site) -> None:
    memory_site.register()
    steps = ("vm_created", "network_configured", "ansible_started", "ansible_complete")
    for step in steps:
        memory_site.report(status="provisioning", step=step)

    said = printed(memory_site, width=80)

    assert max(map(len, said)) <= 80
    for step in steps:
        assert sum(f"step {step}" in text for text in said) == 1
        assert any("→" in text and step in text for text in said)


def test_a_history_has_all_that_an_event_said_and_when_its_sender_says_so(
    memory_site: Site,
) -> None:
    """It is read in a pipe, too, where nobody can make the window wider."""
    long = " ".join(f"part-{number}" for number in range(40))
    late = (memory_site.clock.now - timedelta(seconds=80)).isoformat()
    memory_site.report(status="failed", error=long, occurred_at=late, workflow_run_id="7")

    for width in (200, 80):
        said = " ".join("".join(printed(memory_site, width=width)).split())
        assert all(f"part-{number}" in said for number in range(40))
        assert "its sender says 2026-03-02 11:58:40;" in said


def test_what_a_callback_said_steers_no_terminal(shell: Shell, database_site: Site) -> None:
    database_site.register()
    hostile = f"[bold]x[/bold] {ESCAPE}]0;title\x07{ESCAPE}[2J \x9b31m\r\n next"
    database_site.report(status="failed", error=hostile, **{f"odd{ESCAPE}[2J": hostile})

    for command in ("audit", "replay"):
        said = shell(command, "job-1")
        assert ESCAPE not in said
        assert "\x9b" not in said
        assert "[bold]x[/bold]" in said


@pytest.mark.parametrize("command", ["audit", "replay"])
def test_a_job_nobody_heard_of_is_one_line(shell: Shell, command: str) -> None:
    assert shell.fails(command, "nobody") == "Error: There is no job 'nobody'.\n"


@pytest.mark.parametrize("speed", ["nan", "inf", "0", "-1"])
def test_a_speed_is_a_number_beyond_0(shell: Shell, speed: str) -> None:
    assert shell.run("replay", "job-1", "--speed", speed).exit_code == 2


def test_a_moment_that_is_not_there_is_one_line(shell: Shell, database_site: Site) -> None:
    database_site.register()

    assert "newest version is 1" in shell.fails("audit", "job-1", "--version", "2")
    assert "began at" in shell.fails("audit", "job-1", "--at", "2020-01-01T00:00:00Z", "--json")


@pytest.mark.parametrize(
    "arguments",
    [
        ["audit"],
        ["audit", "job", "--kind", "JobPainted"],
        ["audit", "job", "--since", "noon"],
        ["audit", "job", "--version", "0"],
        ["audit", "job", "--version", "1", "--at", "2026-03-02T12:00:00Z"],
        ["replay"],
        ["replay", "job", "--speed", "0"],
        ["replay", "job", "--attempt", "0"],
    ],
)
def test_wrong_usage_is_exit_status_2(tmp_path: Path, arguments: list[str]) -> None:
    result = Shell(MILEPOST_HOME=str(tmp_path)).run(*arguments)

    assert (result.exit_code, result.stdout) == (2, "")


@pytest.mark.parametrize("command", ["audit", "replay"])
def test_the_commands_explain_themselves(tmp_path: Path, command: str) -> None:
    assert Shell(MILEPOST_HOME=str(tmp_path))(command, "--help").startswith("Usage: ")


# replay


def test_a_replay_without_a_terminal_is_lines(shell: Shell, database_site: Site) -> None:
    """One for each change of what the user saw; nothing waits."""
    lived(database_site)

    said = shell("replay", "job-1").splitlines()

    assert [line[11:19] for line in said] == [
        "12:00:00",
        "12:00:10",
        "12:01:00",
        "12:01:40",
        "12:01:40",
        "12:16:40",
    ]
    assert said[0].endswith(
        "pending  ● Queued  ○ Creating Server  ○ Installing Dependencies  "
        "○ Configuring Agent  ○ Running"
    )
    assert "(after 50 s)  failed" in said[2]
    assert said[2].endswith("  exit 1")
    assert "(after 15 min 0 s)  running" in said[5]


def test_one_attempt_is_replayed(shell: Shell, database_site: Site) -> None:
    lived(database_site)

    assert len(shell("replay", "job-1", "--attempt", "1").splitlines()) == 3
    assert len(shell("replay", "job-1", "--attempt", "2").splitlines()) == 3
    assert shell.fails("replay", "job-1", "--attempt", "3") == (
        "Error: job 'job-1' has no attempt 3\n"
    )


def seen(site: Site) -> list[Frame]:
    return list(frames(site.services.history.entries("job-1", Wanted()), site.services.workflows))


def test_a_replay_goes_as_fast_as_is_asked_and_says_where_it_goes_faster(
    memory_site: Site,
) -> None:
    lived(memory_site)
    waited: list[float] = []
    words: list[str] = []

    play(seen(memory_site), 20, lambda _, word: words.append(word), waited.append)

    assert waited == [0.5, 2.5, 2, 3]
    assert words == [
        "",
        "after 10 s",
        "after 50 s",
        "after 40 s",
        "",
        "after 15 min 0 s, played in 3 s",
    ]


def test_a_clock_that_was_set_back_holds_nothing_up(memory_site: Site) -> None:
    memory_site.register()
    memory_site.clock.advance(-500)
    memory_site.report(status="provisioning")

    assert [frame.since_last.total_seconds() for frame in seen(memory_site)] == [0, 0]


def test_a_terminal_shows_the_steps_in_place(memory_site: Site) -> None:
    lived(memory_site)
    output = io.StringIO()
    terminal = Console(file=output, force_terminal=True, width=100, highlight=False)

    with Live(console=terminal, auto_refresh=False) as live:
        play(seen(memory_site), 1, on_screen(live, f"job{ESCAPE}[2J"), None)

    shown = output.getvalue()
    assert r"job\x1b[2J, attempt 2" in shown
    assert "✗ Installing Dependencies" in shown
    assert "exit 1" in shown


@pytest.fixture
def replaying_slowly(database_site: Site, shell: Shell) -> Iterator[subprocess.Popen[str]]:
    """A replay in a process of its own that waits at its first silence."""
    lived(database_site)
    given = {name: value for name, value in shell.environment.items() if value is not None}
    command = [sys.executable, "-c", "from api.cli import main; main()"]
    with subprocess.Popen(
        [*command, "replay", "job-1", "--speed", "0.001"],
        env={**os.environ, **given},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        process.kill()


def test_ctrl_c_ends_a_replay_cleanly(replaying_slowly: subprocess.Popen[str]) -> None:
    assert replaying_slowly.stdout is not None
    assert "Queued" in replaying_slowly.stdout.readline()

    replaying_slowly.send_signal(signal.SIGINT)
    _, errors = replaying_slowly.communicate(timeout=20)

    assert replaying_slowly.returncode == 130
    assert errors == ""
