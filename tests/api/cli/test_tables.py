"""Tables of commands on terminals of different widths."""

from __future__ import annotations

import pytest

from api.cli.terminal.tables import print_table

HEADINGS = ("Job", "Agent", "Status", "Last event", "Error")
JOB = "0d7f2b1e-3a54-4c6f-9f0e-5b1f0f0a9c11"


class Terminal:
    """A terminal without colours, as its environment describes it."""

    def __init__(self, environment: pytest.MonkeyPatch, output: pytest.CaptureFixture[str]) -> None:
        self._environment, self._output = environment, output
        for name, value in (("FORCE_COLOR", "1"), ("TERM", "dumb"), ("LINES", "25")):
            environment.setenv(name, value)

    def printed(self, width: int, *rows: tuple[str, ...]) -> list[str]:
        """Return the lines of a table in so many columns."""
        self._environment.setenv("COLUMNS", str(width))
        print_table(HEADINGS, rows, "No jobs.", cut="Error", spare=("Agent", "Last event"))
        return [line.rstrip() for line in self._output.readouterr().out.splitlines()]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(monkeypatch, capsys)


def test_a_narrow_terminal_gets_a_block_for_each_row_with_what_it_says(terminal: Terminal) -> None:
    said = terminal.printed(
        40,
        (JOB, "agent-1", "running", "2 s ago", "-"),
        ("job-2", "agent-2", "failed", "5 s ago", "no quota is left in eu-west"),
    )

    assert said == [
        "Job",
        JOB,
        "Agent       agent-1",
        "Status      running",
        "Last event  2 s ago",
        "",
        "Job         job-2",
        "Agent       agent-2",
        "Status      failed",
        "Last event  5 s ago",
        "Error       no quota is left in eu-west",
        "",
    ]


def test_an_id_is_never_broken_for_an_error_and_what_is_left_out_is_said(
    terminal: Terminal,
) -> None:
    rows = (
        (JOB, "agent-1", "provisioning", "12 min ago", "-"),
        ("job-2", "agent-2", "failed", "5 s ago", "no quota is left " * 9),
    )

    assert terminal.printed(72, *rows) == [
        f"Job{' ' * 33} Agent   Status       Last event",
        f"{JOB} agent-1 provisioning 12 min ago",
        f"job-2{' ' * 31} agent-2 failed       5 s ago",
        f"  {('no quota is left ' * 9)[:69]}…",
    ]
    assert terminal.printed(64, *rows)[1:] == [
        f"{JOB} provisioning 12 min ago",
        f"job-2{' ' * 31} failed       5 s ago",
        f"  {('no quota is left ' * 9)[:61]}…",
        "A wider terminal shows Agent, too.",
    ]


@pytest.mark.parametrize("width", [60, 80])
def test_rows_that_fit_are_a_table_and_only_the_error_is_cut(
    terminal: Terminal, width: int
) -> None:
    said = terminal.printed(width, ("j-1", "a-1", "failed", "5 s ago", "no quota is left " * 9))

    [row] = [line for line in said if "j-1" in line]
    assert "5 s ago" in row
    assert row.endswith("…")
    assert all(len(line) <= width for line in said)
