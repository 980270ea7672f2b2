"""The drawing of a timeline: what is where, what colours mean, and what is left out."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import reduce
from typing import Any
from xml.etree import ElementTree

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from api.pages.drawing.story import MOST_GAPS, MOST_LANES, MOST_STEPS
from api.pages.drawing.timeline import drawn
from api.representations.timeline import timeline_body
from domain.job.events import (
    AttemptCancelled,
    AttemptFailed,
    AttemptStarted,
    Fact,
    HeartbeatReceived,
    JobEvent,
    JobQueued,
    JobTimedOut,
    StatusReported,
    StepReported,
)
from domain.workflows.files import load
from projections.views.timeline import Timeline, evolve
from tests.support.jobs.strategies import facts, moments, numbered, times
from tests.support.stores.deployment import NOON

SHIPPED = load()
QUEUED = JobQueued(recorded_at=NOON, agent_id="agent", user_id="ada", workflow="vm@1")


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def begins(seconds: float, run_id: str = "1") -> Fact:
    return StatusReported(recorded_at=at(seconds), status="provisioning", workflow_run_id=run_id)


def step(seconds: float, name: str, run_id: str = "1") -> Fact:
    return StepReported(recorded_at=at(seconds), step=name, workflow_run_id=run_id)


def fails(seconds: float, error: str = "boom", run_id: str = "1") -> Fact:
    return StatusReported(
        recorded_at=at(seconds), status="failed", error=error, workflow_run_id=run_id
    )


def runs(seconds: float, run_id: str = "1") -> Fact:
    return StatusReported(recorded_at=at(seconds), status="running", workflow_run_id=run_id)


def beats(since: int, until: int) -> list[Fact]:
    return [HeartbeatReceived(recorded_at=at(each)) for each in range(since, until, 60)]


def next_run(seconds: float, number: int, because: Any = "run") -> Fact:
    return AttemptStarted(
        recorded_at=at(seconds),
        number=number,
        because=because,
        workflow_run_id=str(number) if because == "run" else None,
    )


class Drawing:
    """The drawing of these facts, read as XML."""

    def __init__(self, history: list[JobEvent], now: datetime) -> None:
        timeline = reduce(evolve, history, Timeline("job"))
        self.text = str(drawn(timeline_body(timeline, SHIPPED), now))
        self.root = ElementTree.fromstring(self.text)  # noqa: S314 (we drew it)

    def of(self, kind: str) -> list[ElementTree.Element]:
        """Return the elements of a class, in order."""
        return [each for each in self.root.iter() if kind in each.get("class", "").split()]

    def words(self, kind: str) -> list[str]:
        """Return the words in the elements of a class."""
        return [" ".join("".join(each.itertext()).split()) for each in self.of(kind)]

    def bars(self, kind: str) -> list[tuple[float, float]]:
        """Return where the bars of a class begin and end in the chart, in percent."""
        [chart] = self.of("timeline-chart")
        groups = [each for each in chart.iter("g") if kind in each.get("class", "").split()]
        rects = [rect for group in groups for rect in group.iter("rect")]
        return [(left := part(rect, "x"), left + part(rect, "width")) for rect in rects]

    @property
    def story(self) -> str:
        [caption] = self.root.iter("figcaption")
        return "".join(caption.itertext())

    @property
    def table(self) -> list[list[str]]:
        rows = self.root.iter("tr")
        return [["".join(cell.itertext()) for cell in row] for row in rows][1:]


def part(element: ElementTree.Element, name: str) -> float:
    return float(element.attrib[name].removesuffix("%"))


def drawing(*history: Fact, now: float) -> Drawing:
    return Drawing(numbered(list(history)), at(now))


def test_waiting_starting_and_working_follow_one_another_to_scale() -> None:
    made = drawing(QUEUED, begins(20), step(50, "vm_created"), *beats(60, 180), runs(200), now=9000)

    assert made.bars("timeline-waiting") == [(0, 10)]
    assert made.bars("timeline-starting") == [(10, 25)]
    assert made.bars("timeline-working") == [(25, 100)]
    assert made.words("timeline-name")[0] == "Attempt 1 running run 1"
    assert made.story == "Attempt 1 waited 20 s for its workflow. It was ready after 3 min 0 s."


def test_each_step_has_a_row_with_the_label_that_pages_show() -> None:
    made = drawing(
        QUEUED,
        begins(0),
        step(0, "vm_created"),
        step(50, "ansible_started"),
        step(75, "odd"),
        runs(100),
        now=100,
    )

    assert made.words("timeline-name")[1:-1] == [
        "Installing Dependencies vm_created",
        "Configuring Agent ansible_started",
        "odd",
    ]
    assert made.bars("timeline-step") == [(0, 50), (50, 75), (75, 100)]
    assert made.words("timeline-took")[1:-1] == ["50 s", "25 s", "25 s"]


def test_a_job_that_waits_is_drawn_until_now() -> None:
    made = drawing(QUEUED, now=754)

    assert made.bars("timeline-waiting") == [(0, 100)]
    assert made.story == "Attempt 1 has been waiting for its workflow for 12 min 34 s."
    assert made.words("timeline-ends") == ["2026-03-02 12:00:00 UTCnow, 2026-03-02 12:12:34 UTC"]


def test_a_job_that_was_registered_after_its_end_ends_where_it_did() -> None:
    late = msgspec.structs.replace(QUEUED, recorded_at=at(900))

    made = drawing(begins(0), step(60, "vm_created"), fails(120), late, now=1000)

    assert made.story.startswith("Attempt 1 failed after 2 min 0 s")
    assert made.bars("timeline-waiting") == []


def test_a_long_silence_is_squeezed_and_its_length_is_written() -> None:
    made = drawing(QUEUED, begins(0), *beats(60, 200), *beats(7200, 7400), now=7400)

    assert made.words("timeline-break") == ["1.9 h"]
    [silence] = made.bars("timeline-silent")
    assert 13 < silence[1] - silence[0] < 15
    assert "It was silent for 1 h 57 min." in made.story
    assert "not to scale 1 h 57 min" in " ".join(made.words("timeline-key"))


def test_a_silence_that_goes_on_is_drawn() -> None:
    made = drawing(QUEUED, begins(0), *beats(60, 250), step(250, "vm_created"), now=400)

    assert made.bars("timeline-silent") == [(62.5, 100)]
    assert "silent 2 min 30 s" in made.words("timeline-key")[0]


def test_a_failure_is_marked_at_its_step_with_its_error() -> None:
    made = drawing(QUEUED, begins(0), step(50, "vm_created"), fails(100, "no\nlock"), now=5000)

    assert [each.get("class") for each in made.of("timeline-mark")] == ["timeline-mark is-failed"]
    assert [row.get("class") for row in made.of("timeline-step") if row.tag == "g"] == [
        "timeline-step is-failed"
    ]
    assert made.story == (
        "Attempt 1 failed after 1 min 40 s at the step Installing Dependencies: no lock."
    )


def test_each_attempt_has_a_lane_and_the_time_between_belongs_to_none() -> None:
    made = drawing(
        QUEUED,
        begins(0),
        fails(100),
        next_run(150, 2, "retry"),
        begins(170, "2"),
        runs(200, "2"),
        now=9000,
    )

    assert made.bars("timeline-waiting") == [(75, 85)]
    assert made.bars("timeline-starting") == [(0, 50), (85, 100)]
    assert "between attempts 50 s" in made.words("timeline-key")[0]


def test_a_superseded_attempt_ends_where_the_next_run_begins() -> None:
    made = drawing(
        QUEUED, begins(0), step(50, "vm_created"), next_run(100, 2), begins(100, "2"), now=200
    )

    assert made.bars("timeline-working") == [(25, 50)]
    assert made.bars("timeline-starting") == [(0, 25), (50, 100)]
    assert "then another run took its place" in made.story


def test_a_cancelled_and_a_timed_out_attempt_say_so() -> None:
    cancelled = AttemptCancelled(recorded_at=at(50), attempt=1, requested_by="ada")
    timeout = JobTimedOut(recorded_at=at(1020), attempt=1, silent_since=at(0), error="Timeout")

    assert "was cancelled after 50 s" in drawing(QUEUED, begins(0), cancelled, now=50).story
    made = drawing(QUEUED, begins(0), timeout, now=2000)
    assert "was given up after 17 min 0 s: Timeout" in made.story
    assert made.of("timeline-mark")[0].get("class") == "timeline-mark is-timed_out"


def test_the_time_before_an_operators_end_is_silence_and_no_work() -> None:
    timeout = JobTimedOut(recorded_at=at(26), attempt=1, silent_since=at(20), error="Timeout")
    ended = AttemptFailed(recorded_at=at(206), attempt=1, requested_by="ada", reason="dead")
    history = QUEUED, begins(0), step(20, "vm_created"), timeout, ended

    made = drawing(*history, now=206)

    assert "It was silent for 3 min 6 s." in made.story
    assert made.words("timeline-took")[:2] == ["3 min 26 s", "0 s"]
    assert "starting, before the first step 20 s silent 3 min 6 s" in made.words("timeline-key")[0]
    assert "working" not in made.words("timeline-key")[0]


def test_a_late_step_is_a_point_after_the_end() -> None:
    made = drawing(QUEUED, begins(0), fails(100), step(120, "vm_created"), now=200)

    assert len(made.of("timeline-late")) == 1
    assert made.words("timeline-took")[1] == "late"
    assert made.table[1][:2] == ["1", "Installing Dependencies (vm_created), late"]


def test_what_takes_no_time_is_still_seen() -> None:
    made = drawing(QUEUED, begins(10), step(10, "vm_created"), runs(10), now=10)

    [bar] = [each for each in made.of("timeline-step") if each.tag == "g"]
    line = bar.find("line")
    assert made.bars("timeline-step") == [(100, 100)]
    assert line is not None
    assert line.attrib["x1"] == line.attrib["x2"] == "100.000%"


def test_of_too_many_attempts_steps_and_silences_the_drawing_says_how_many_are_missing() -> None:
    attempts: list[Fact] = [QUEUED, begins(0), fails(30)]
    for number in range(2, 51):
        since = number * 60
        run = str(number)
        attempts += [next_run(since, number), begins(since, run), fails(since + 30, run_id=run)]
    steps = [step(each * 130, f"step {each}") for each in range(1, 101)]
    silent: list[Fact] = [QUEUED, begins(0), *(step(each * 130, "odd") for each in range(1, 101))]
    silent += [next_run(13_000, 2), begins(13_000, "2")]
    silent += [step(13_000 + each * 130, "odd", "2") for each in range(1, 101)]

    many = drawing(*attempts, now=9000)
    long = drawing(QUEUED, begins(0), *steps, now=13_000)
    quiet = drawing(*silent, now=26_000)

    assert len(many.of("timeline-attempt")) == MOST_LANES
    assert many.words("timeline-left-out") == ["Not drawn: 38 earlier attempts."]
    assert len([row for row in long.of("timeline-step") if row.tag == "div"]) == MOST_STEPS
    assert long.words("timeline-left-out") == ["Not drawn: 60 shorter steps."]
    assert len(quiet.bars("timeline-silent")) == MOST_GAPS
    assert quiet.words("timeline-left-out") == ["Not drawn: 80 shorter silences."]
    assert max(len(each.text) for each in (many, long, quiet)) < 80_000


def test_the_table_has_what_is_drawn() -> None:
    made = drawing(
        QUEUED, begins(20), step(50, "vm_created"), step(300, "ansible_started"), runs(400), now=500
    )

    assert made.table == [
        ["1", "waiting for its workflow", "2026-03-02 12:00:00 UTC", "20 s"],
        ["1", "starting, before the first step", "2026-03-02 12:00:20 UTC", "30 s"],
        ["1", "Installing Dependencies (vm_created)", "2026-03-02 12:00:50 UTC", "4 min 10 s"],
        ["1", "silence", "2026-03-02 12:00:50 UTC", "4 min 10 s"],
        ["1", "Configuring Agent (ansible_started)", "2026-03-02 12:05:00 UTC", "1 min 40 s"],
        ["1", "running", "2026-03-02 12:06:40 UTC", ""],
    ]


def test_what_senders_say_is_text() -> None:
    hostile = "<script>alert('x')</script>\u202e\x1b[2J\uffff"
    made = drawing(
        QUEUED, begins(0, hostile), step(1, hostile, hostile), fails(2, hostile, hostile), now=3
    )

    assert "<script" not in made.text
    assert made.text.count("alert") >= 3
    assert not set("\u202e\x1b\uffff") & set(made.text)
    assert "style=" not in made.text


@given(
    st.lists(facts(times) | facts(moments), max_size=25).map(numbered),
    times | moments,
)
def test_any_timeline_is_drawn_within_its_bounds(history: list[JobEvent], now: datetime) -> None:
    made = Drawing(history, now)

    for element in made.root.iter():
        places = [part(element, name) for name in ("x", "x1", "x2") if "%" in element.get(name, "")]
        if "%" in element.get("width", "") and element.tag == "rect":
            assert part(element, "width") >= 0
            places.append(round(part(element, "x") + part(element, "width"), 3))
        assert all(0 <= place <= 100 for place in places)
    starts = [left for left, _ in made.bars("timeline-step")]
    assert len(made.table) > 0
    assert len(starts) <= MOST_STEPS
