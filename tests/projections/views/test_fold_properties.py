"""Properties of the folds for any callbacks in any order."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st

from domain.job.callback import Callback
from domain.job.commands.registration import QueueJob
from domain.job.events import JobEvent, JobQueued, StopRequested
from domain.job.provisioning_job import Outcome, ProvisioningJob
from domain.job.provisioning_job import evolve as evolve_job
from domain.job.runs.orders import Requested
from domain.workflows.definition import Workflows
from projections.projecting.projector import Projector
from projections.views import instance as instances
from projections.views import timeline as timelines
from projections.views.instance import Instance
from projections.views.shown_times import shown_claim
from projections.views.timeline import Timeline
from projections.views.ui_steps import ui_steps
from projections.views.view import State, View, Views
from tests.support.jobs.strategies import (
    WORKFLOWS,
    callbacks,
    events,
    facts,
    finals,
    heartbeats,
    minute,
    moments,
    provisioning,
    reached,
    run_ids,
)
from tests.support.stores.deployment import NOON, Clock, Deployment

VIEWS = Views()


class Story(msgspec.Struct):
    """A job and its instance, folded side by side, an hour after the senders' last words."""

    now: Any = NOON + timedelta(hours=1)
    job: ProvisioningJob = ProvisioningJob("job")
    instance: Instance = Instance("job")

    def tell(self, happening: Callback | JobQueued | str) -> None:
        """Let something happen, 30 s after the last event."""
        self.now += timedelta(seconds=30)
        outcome = self._outcome(happening)
        for event in outcome.events:
            placed = msgspec.structs.replace(event, position=event.originator_version)
            self.instance = instances.evolve(self.instance, placed)
        self.job = outcome.job

    def _outcome(self, happening: Callback | JobQueued | str) -> Outcome:
        if isinstance(happening, Callback):
            return self.job.report(happening, self.now)
        if isinstance(happening, JobQueued):
            return Outcome(self.job) if self.job.queued else self.job.queue(happening)
        if happening == "stop":
            attempt = self.job.attempt
            running = attempt.status == "running" and not attempt.stop_requested_at
            return self.job.stop(Requested(self.now, "ada")) if running else Outcome(self.job)
        self.now += timedelta(seconds=901)
        return self.job.time_out(self.now)


def story(happenings: Iterable[Callback | JobQueued | str]) -> Story:
    lived = Story()
    for happening in happenings:
        lived.tell(happening)
    return lived


queued = st.builds(
    JobQueued,
    recorded_at=st.just(NOON),
    agent_id=st.just("agent"),
    user_id=st.just("ada"),
    workflow=st.sampled_from(WORKFLOWS),
)


def shown(instance: Instance, workflows: Workflows) -> dict[str, Any]:
    """Return what people see of a job, without the times of arrival."""
    attempt = instance.attempt
    final = attempt.final
    current, failed_at = instance.current_step(workflows), instance.failed_at_step(workflows)
    words = {
        name: word.value if word else None
        for name in ("server_id", "server_ip", "tailscale_ip", "run_id")
        for word in (getattr(attempt, name),)
    }
    return {
        "status": instance.status,
        "current_step": current,
        "failed_at_step": failed_at,
        "claimed_at": shown_claim(attempt, instance.floor),
        "final": final and (final.status, final.error, final.moment.at, final.inferred),
        "attempt": attempt.number,
        "steps": ui_steps(
            workflows.recorded(instance.workflow),
            instance.status,
            current,
            failed_at,
            instance.cancelled_while,
        ),
        **words,
    }


@st.composite
def one_attempt_in_two_orders(draw: st.DrawFn) -> tuple[list[Any], list[Any]]:
    """Draw one attempt's callbacks, timed by their senders, in two orders with repetitions.

    They all name the same run, or none.
    """
    early, late = st.integers(0, 6).map(minute), st.integers(7, 12).map(minute)
    run_id = draw(run_ids)
    sent: list[Any] = [
        msgspec.structs.replace(callback, workflow_run_id=run_id)
        for callback in (
            *draw(st.lists(provisioning(early), max_size=2)),
            *draw(st.lists(reached(early), max_size=6)),
            *draw(st.lists(heartbeats(moments), max_size=2)),
            *draw(st.lists(finals(late), max_size=1)),
        )
    ]
    # Only the first registration counts, so draw one.
    registration = [draw(queued)]
    one = draw(st.permutations(sent + registration))
    repeated = draw(st.lists(st.sampled_from(sent), max_size=4)) if sent else []
    return one, draw(st.permutations(sent + registration + repeated))


@given(orders=one_attempt_in_two_orders())
def test_timed_callbacks_of_one_attempt_end_the_same_in_any_order(
    workflows: Workflows, orders: tuple[list[Any], list[Any]]
) -> None:
    """The senders' times decide, so callbacks may come late, early or repeatedly."""
    one, other = orders

    assert shown(story(one).instance, workflows) == shown(story(other).instance, workflows)


anything = st.one_of(
    callbacks(st.none()), callbacks(st.none() | moments), queued, st.sampled_from(["stop", "wait"])
)
# Draw steps more often than final statuses, because little happens to a job that has ended.
lives: st.SearchStrategy[list[Callback | JobQueued | str]] = st.lists(
    reached(st.none()) | reached(st.none() | moments) | anything, max_size=25
)


@given(happenings=lives)
def test_no_sequence_produces_an_impossible_state(
    workflows: Workflows, happenings: list[Callback | JobQueued | str]
) -> None:
    lived = Story()
    for happening in happenings:
        lived.tell(happening)
        instance = lived.instance
        current = instance.current_step(workflows)
        has_steps = instance.attempt.status == "provisioning" and bool(instance.attempt.steps)
        assert (current is not None) == has_steps
        if instance.status != "failed":
            assert instance.failed_at_step(workflows) is None
        steps = ui_steps(
            workflows.recorded(instance.workflow),
            instance.status,
            current,
            instance.failed_at_step(workflows),
            instance.cancelled_while,
        )
        statuses = [step.status for step in steps]
        at_frontier = [status for status in statuses if status in ("active", "error")]
        assert len(at_frontier) == (0 if instance.status in ("running", "stopping") else 1)
        reached_end = statuses.index(at_frontier[0]) if at_frontier else len(statuses)
        assert set(statuses[:reached_end]) <= {"completed"}
        assert set(statuses[reached_end + 1 :]) <= {"pending"}


@given(happenings=lives)
def test_an_end_that_was_reported_stays_the_end_of_its_attempt(
    happenings: list[Callback | JobQueued | str],
) -> None:
    """Only a timeout is taken back: it is our inference."""
    lived = Story()
    for happening in happenings:
        before = lived.job.runs
        lived.tell(happening)
        for attempt in before.attempts:
            if attempt.final and not attempt.final.inferred:
                after = lived.job.runs.find(attempt.number)
                assert after is not None
                assert after.final is not None


def step_at(step: str, at: int | None) -> Callback:
    return Callback(
        job_id="job",
        status="provisioning",
        step=step,
        occurred_at=None if at is None else minute(at),
    )


@example(
    happenings=[
        step_at("vm_created", None),
        step_at("vm_created", 2),
        step_at("network_configured", 0),
        Callback(job_id="job", status="failed", occurred_at=minute(1)),
    ]
)
@given(happenings=lives)
def test_progress_never_runs_backwards_within_an_attempt(
    workflows: Workflows, happenings: list[Callback | JobQueued | str]
) -> None:
    """A failure that comes late divides an attempt: its earlier steps were the failed try's."""
    lived = Story()
    furthest: dict[object, int] = {}
    for happening in happenings:
        lived.tell(happening)
        ranks = workflows.ranks(lived.instance.workflow)
        if current := lived.instance.current_step(workflows):
            attempt = lived.instance.attempt
            place = (attempt.number, attempt.opened_at, lived.instance.workflow)
            rank = ranks.get(current, -1)
            assert rank >= furthest.get(place, -1)
            furthest[place] = rank


@given(happenings=lives)
def test_the_job_and_its_instance_agree_on_the_attempt(
    happenings: list[Callback | JobQueued | str],
) -> None:
    lived = Story()
    for happening in happenings:
        lived.tell(happening)
        assert lived.job.runs == lived.instance.runs
        assert lived.job.version == lived.instance.version


@given(history=events(facts()))
def test_the_job_and_its_instance_agree_even_on_nonsense(history: list[JobEvent]) -> None:
    job, instance = ProvisioningJob("job"), Instance("job")
    for event in history:
        job, instance = evolve_job(job, event), instances.evolve(instance, event)

    assert job.runs == instance.runs


def folded(view: View[State], state: State, history: Iterable[JobEvent]) -> State:
    for event in history:
        state = view.evolve(state, event)
    return state


@given(history=events(facts()), cut=st.integers(0, 25))
def test_folding_may_be_interrupted_anywhere(history: list[JobEvent], cut: int) -> None:
    """The fold goes on from a stored document as if it had never stopped."""
    check_interruption(VIEWS.instance, Instance("job"), history, cut)
    check_interruption(VIEWS.timeline, Timeline("job"), history, cut)


def check_interruption(view: View[State], start: State, history: list[JobEvent], cut: int) -> None:
    document = view.dump(folded(view, start, history[:cut]))

    continued = folded(view, view.load("job", document), history[cut:])

    assert continued == folded(view, start, history)


requests = st.tuples(st.sampled_from(["job-1", "job-2", "job-3"]), anything)


@given(asked=st.lists(requests, max_size=25), batches=st.lists(st.integers(1, 7), max_size=6))
def test_projecting_in_batches_of_any_size_is_folding(
    workflows: Workflows, asked: list[tuple[str, Any]], batches: list[int]
) -> None:
    """A row is the result of one uninterrupted fold of its job's events."""
    clock = Clock()
    made = Deployment({"PERSISTENCE_MODULE": "domain.log.memory"}, workflows, clock)
    sizes = iter(batches)
    for number, (job_id, happening) in enumerate(asked):
        clock.advance(30)
        ask(made, clock, job_id, happening)
        if number % 4 == 3:
            projector(made, next(sizes, 1000)).catch_up()
    projector(made, next(sizes, 3)).catch_up()

    history = made.milepost.recorder.select_notifications(None, 10_000)
    for job_id in {str(stored.originator_id) for stored in history}:
        own = [
            made.milepost.mapper.to_domain_event(stored)
            for stored in history
            if stored.originator_id == job_id
        ]
        [row] = made.read_model.documents("instances", [job_id]).values()
        assert VIEWS.instance.load(job_id, row) == folded(VIEWS.instance, Instance(job_id), own)
        [row] = made.read_model.documents("timelines", [job_id]).values()
        assert VIEWS.timeline.load(job_id, row) == folded(VIEWS.timeline, Timeline(job_id), own)
    made.close()


def ask(made: Deployment, clock: Clock, job_id: str, happening: Any) -> None:
    if isinstance(happening, Callback):
        made.milepost.record(msgspec.structs.replace(happening, job_id=job_id))
    elif isinstance(happening, JobQueued):
        if made.milepost.find(job_id).queued is None:
            made.milepost.queue(
                QueueJob(job_id=job_id, agent_id=f"of-{job_id}", workflow=happening.workflow)
            )
    elif happening == "stop":
        job = made.milepost.find(job_id)
        if job.attempt.status == "running" and not job.attempt.stop_requested_at:
            made.milepost.stop(job_id)
    else:
        clock.advance(901)
        made.milepost.time_out(job_id)


def projector(made: Deployment, batch: int) -> Projector:
    return Projector(
        made.milepost.store, made.read_model, made.milepost.mapper, made.workflows, batch=batch
    )


misplaced = st.builds(
    JobEvent,
    st.sampled_from(["job", "", "other"]),
    st.integers(-(2**31), 2**31),
    facts(),
    st.integers(-(2**31), 2**31),
)


@given(history=st.lists(misplaced, max_size=25))
def test_evolving_never_raises(workflows: Workflows, history: list[JobEvent]) -> None:
    """This holds for any facts in any order, with any versions."""
    job, instance, timeline = ProvisioningJob("job"), Instance("job"), Timeline("job")
    for event in history:
        job = evolve_job(job, event)
        instance = instances.evolve(instance, event)
        timeline = timelines.evolve(timeline, event)
        instance.current_step(workflows)
        instance.failed_at_step(workflows)
        version = event.originator_version
        assert (job.version, instance.version, timeline.version) == (version, version, version)
        assert (instance.position, timeline.position) == (event.position, event.position)


def test_an_impossible_stop_request_does_not_stop_the_fold() -> None:
    """This is the smallest of the impossible histories."""
    instance = instances.evolve(
        Instance("job"), JobEvent("job", 1, StopRequested(recorded_at=NOON), 1)
    )

    assert instance.status == "pending"
