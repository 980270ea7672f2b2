"""The measurements' own arithmetic, and what they say when they cannot measure."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bench import before
from bench.contenders import Mismatch, check
from bench.effort import SHORT
from bench.figures import Line, NothingMeasured, alternate
from bench.history import life
from bench.load import CONNECTIONS, Result
from bench.stage import Stage
from domain.job.events import StatusReported, StepReported

ROOT = Path(__file__).parents[2]


def turns(*rates: float) -> Callable[[], float]:
    return iter(rates).__next__


def test_a_ratio_is_the_median_of_the_pairs_and_not_of_the_machine() -> None:
    """A machine that gets slower half-way makes both slower, and their ratio stays."""
    ours, theirs = turns(100, 100, 50, 50, 50), turns(200, 200, 100, 100, 100)

    pair = alternate(ours, theirs, pairs=5)

    assert pair == (50, 100, 0.5)


def test_who_goes_first_alternates() -> None:
    order: list[str] = []

    def turn(name: str) -> Callable[[], float]:
        return lambda: order.append(name) or 1.0  # type: ignore[func-returns-value]

    alternate(turn("ours"), turn("theirs"), pairs=3)

    assert order == ["ours", "theirs", "theirs", "ours", "ours", "theirs"]


def test_a_pair_in_which_nothing_happened_is_measured_again() -> None:
    pair = alternate(turns(100, 0, 100), turns(0, 200, 200), pairs=1)

    assert pair == (100, 200, 0.5)


def test_a_machine_that_is_too_busy_to_measure_ends_the_bench_in_words() -> None:
    with pytest.raises(NothingMeasured, match="too busy"):
        alternate(turns(*[0.0] * 6), turns(*[1.0] * 6), pairs=2)


@pytest.mark.parametrize("stored", [100, 100 + 2 * CONNECTIONS])
def test_what_was_under_way_at_the_end_and_at_the_one_before_may_be_stored(stored: int) -> None:
    check(Result(answered=100, seconds=1, p50=1, p99=1), stored)


@pytest.mark.parametrize(
    ("refused", "broken", "stored"),
    [(0, 0, 99), (0, 0, 101 + 2 * CONNECTIONS), (1, 0, 100), (0, 1, 100)],
)
def test_a_run_that_lost_or_made_up_a_callback_is_no_measurement(
    refused: int, broken: int, stored: int
) -> None:
    result = Result(answered=100, seconds=1, p50=1, p99=1, refused=refused, broken=broken)

    with pytest.raises(Mismatch):
        check(result, stored)


def test_errors_are_no_answers() -> None:
    assert Result(answered=100, seconds=2, p50=1, p99=1, refused=40).rate == 30


def test_a_job_lives_through_every_step_once() -> None:
    facts = life(100)

    told = [fact.step for fact in facts if isinstance(fact, StepReported)]
    assert told == ["vm_created", "network_configured", "ansible_started", "ansible_complete"]
    assert len(facts) == 100
    assert [fact.status for fact in facts if isinstance(fact, StatusReported)] == [
        "provisioning",
        "running",
    ]


def test_a_line_holds_on_the_right_side_of_what_is_wanted() -> None:
    assert Line("rate", 0.5, 0.5).holds
    assert not Line("rate", 0.49, 0.5).holds
    assert Line("latency", 25, 25, at_most=True).holds
    assert not Line("latency", 25.1, 25, at_most=True).holds


def test_without_an_earlier_release_it_says_what_is_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("MILEPOST_BENCH_BEFORE", raising=False)

    assert list(before.run(Stage(), SHORT)) == []

    said = (
        "before is left out: MILEPOST_BENCH_BEFORE does not name the earlier release's command.\n"
    )
    assert capsys.readouterr().err == said


def test_without_wrk_it_says_what_is_missing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench"],
        cwd=ROOT,
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 1
    assert done.stderr == "Error: wrk is not installed; on Debian: apt-get install wrk.\n"
