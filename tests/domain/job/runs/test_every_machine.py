"""Every machine that a job's callbacks named is wanted, asked back or in doubt until it is gone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.job.callback import Callback
from domain.job.provisioning_job import ProvisioningJob
from domain.job.runs.doubtful import doubtful
from tests.support.jobs.orders import LATER, order, told
from tests.support.jobs.strategies import minute
from tests.support.stores.deployment import NOON

LEG: dict[str, Any] = {"workflow_run_id": "77", "run_attempt": 1}


class Answers(NamedTuple):
    """What a job says of its machines."""

    wanted: set[str]
    asked_back: set[str]
    in_doubt: set[str]


def answers(job: ProvisioningJob) -> Answers:
    runs = job.runs
    every = {
        machine
        for each in runs.attempts
        for machine in (each.machine_id, *(other.server_id for other in each.machines))
        if machine
    }
    return Answers(
        {machine for machine in every if any(each.wants(machine) for each in runs.attempts)},
        {machine for each in runs.attempts for machine, _ in each.machines_left if machine},
        {machine for _, machine in doubtful(runs)},
    )


def after(*words: Callback | str) -> ProvisioningJob:
    job, now = ProvisioningJob("job"), NOON
    for word in words:
        now += timedelta(minutes=16 if word == "time" else 1)
        job = told(job, word, now, allowed=9)
    return job


def leg(status: str, machine: str | None = None, step: str | None = None) -> Callback:
    return Callback(job_id="job", status=status, server_id=machine, step=step, **LEG)  # type: ignore[arg-type]


STEP_A, STEP_B = leg("provisioning", "srv-a", "s"), leg("provisioning", "srv-b", "s")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([leg("running", "srv-a"), leg("failed", "srv-b")], ({"srv-a"}, set(), {"srv-b"})),
        ([leg("failed", "srv-b"), leg("running", "srv-a")], (set(), {"srv-b"}, {"srv-a"})),
        ([STEP_A, leg("running", "srv-a"), STEP_B], ({"srv-a", "srv-b"}, set(), set())),
        ([STEP_A, STEP_B, leg("running", "srv-b")], ({"srv-a", "srv-b"}, set(), set())),
    ],
)
def test_legs_of_a_matrix_answer_for_their_own_machines(
    words: list[Callback], expected: tuple[set[str], ...]
) -> None:
    assert answers(after(*words)) == expected


@pytest.mark.parametrize("late", [leg("failed"), leg("provisioning", step="s"), STEP_B])
def test_a_leg_that_runs_is_not_asked_back_by_a_later_word_of_its_failed_run(
    late: Callback,
) -> None:
    job = after(leg("failed", "srv-b"), leg("running", "srv-a"), late)

    assert answers(job) == (set(), {"srv-b"}, {"srv-a"})


def test_a_leg_that_had_been_asked_back_and_says_that_it_runs_is_in_doubt() -> None:
    job = after(STEP_A, STEP_B, leg("failed"), leg("running", "srv-a"))

    assert answers(job) == (set(), {"srv-b"}, {"srv-a"})
    assert answers(told(job, leg("stopped", "srv-a"), LATER, 0)) == (set(), {"srv-b"}, set())


def test_of_several_machines_of_which_one_is_gone_the_others_are_asked_back() -> None:
    job = after(STEP_A, STEP_B, leg("stopped", "srv-b"))

    assert answers(job).asked_back == {"srv-a"}
    assert answers(after(STEP_A, STEP_B, leg("stopped", "srv-b"), leg("failed"))).asked_back == {
        "srv-a"
    }


def test_a_stop_of_the_machine_that_runs_leaves_the_others_in_doubt() -> None:
    job = after(STEP_A, leg("running", "srv-b"), leg("stopped", "srv-b"))

    assert answers(job) == (set(), set(), {"srv-a"})
    assert answers(told(job, "stopped", NOON + timedelta(hours=1), 9)) == (set(), set(), set())


def test_a_machine_that_a_person_confirmed_as_gone_is_not_asked_back_when_its_run_names_it() -> (
    None
):
    """A step without a run came after the end, so its machine was in doubt."""
    step = Callback(job_id="job", status="provisioning", server_id="srv-a", step="s")
    job = after(leg("provisioning"), "cancel", step)
    assert answers(job).in_doubt == {"srv-a"}

    job = order(job, "stopped", server_id="srv-a").job
    job = told(job, leg("running", "srv-a"), NOON + timedelta(hours=1), 9)

    assert answers(job) == (set(), set(), set())


def test_a_failure_of_no_run_that_names_another_machine_than_the_one_that_runs() -> None:
    said = [
        Callback(job_id="job", status="running", server_id="srv-a"),
        Callback(job_id="job", status="failed", server_id="srv-b"),
    ]

    assert answers(after(*said)) == ({"srv-a"}, set(), {"srv-b"})


def test_a_machine_that_is_gone_and_was_never_named_is_the_one_that_runs_without_a_name() -> None:
    """The clock of `stopped` is of the time of the run before, which has another machine."""
    job = after(
        leg("running", "srv-b"),
        Callback(job_id="job", status="running", workflow_run_id="78", occurred_at=minute(5)),
        Callback(job_id="job", status="stopped", server_id="srv-a", occurred_at=minute(2)),
    )

    assert answers(job).wanted == {"srv-b"}
    assert [each.status for each in job.runs.attempts] == ["running", "stopped"]


RUNS: list[dict[str, Any]] = [LEG, {**LEG, "run_attempt": 2}, {"workflow_run_id": "78"}, {}]
WORDS = st.builds(
    lambda run, said, machine: Callback(job_id="job", server_id=machine, **said, **run),
    st.sampled_from(RUNS),
    st.sampled_from(
        [
            {"status": "provisioning"},
            {"status": "provisioning", "step": "s"},
            {"status": "provisioning", "step": "t"},
            {"status": "running"},
            {"status": "failed"},
            {"status": "cancelled"},
            {"status": "stopped"},
        ]
    ),
    st.sampled_from([None, "srv-a", "srv-b"]),
)


def gone(words: Sequence[Callback | str]) -> set[str]:
    """Return the machines that a word said to be gone; all for one that named no machine."""
    stops = [each for each in words if isinstance(each, Callback) and each.status == "stopped"]
    if any(each.server_id is None for each in stops):
        return {"srv-a", "srv-b"}
    return {each.server_id for each in stops if each.server_id}


def said(run: int | None, status: str, machine: str | None = None) -> Callback:
    run_id = str(run) if run else None
    return Callback(job_id="job", status=status, server_id=machine, workflow_run_id=run_id)  # type: ignore[arg-type]


def again(status: str, machine: str | None = None) -> Callback:
    step = "s" if status == "provisioning" else None
    run: dict[str, Any] = {**LEG, "run_attempt": 2}
    return Callback(job_id="job", status=status, step=step, server_id=machine, **run)  # type: ignore[arg-type]


STEP_AGAIN, STEP_A_AGAIN = again("provisioning"), again("provisioning", "srv-a")
RUNS_AGAIN = again("running", "srv-a")
STEP_OF_78 = Callback(
    job_id="job", status="provisioning", step="s", server_id="srv-a", workflow_run_id="78"
)
SMALLEST: list[list[Callback | str]] = [
    # One of each kind of machine that was lost, or named twice.
    [leg("failed", "srv-a"), leg("running"), leg("failed", "srv-b")],
    [leg("failed", "srv-a"), leg("running"), STEP_B],
    [STEP_A, leg("stopped", "srv-a"), leg("failed", "srv-b")],
    [said(78, "failed", "srv-b"), said(77, "running"), said(78, "stopped", "srv-a")],
    [leg("running"), said(None, "stopped", "srv-a"), STEP_B],
    [leg("failed", "srv-a"), leg("failed", "srv-b"), said(78, "running", "srv-a")],
    ["cancel", said(None, "failed", "srv-b"), STEP_A, said(78, "provisioning", "srv-b")],
    [said(77, "running"), said(78, "provisioning", "srv-a"), STEP_B, "time"],
    [STEP_A_AGAIN, "fail", STEP_OF_78, "time", RUNS_AGAIN, "cancel"],
    [STEP_AGAIN, "fail", STEP_OF_78, said(None, "failed", "srv-b"), RUNS_AGAIN],
]


@settings(deadline=None, max_examples=400, derandomize=True)
@given(st.lists(WORDS | st.sampled_from(["time", "retry", "cancel", "fail"]), max_size=7))
def test_no_machine_is_lost(words: list[Callback | str]) -> None:
    assert_each_is_answered_for_once(words)


@pytest.mark.parametrize("words", SMALLEST)
def test_no_machine_is_lost_in_a_story_that_lost_one(words: list[Callback | str]) -> None:
    assert_each_is_answered_for_once(words)


def assert_each_is_answered_for_once(words: Sequence[Callback | str]) -> None:
    job = after(*words)
    wanted, asked_back, in_doubt = answers(job)

    named = {each.server_id for each in words if isinstance(each, Callback) and each.server_id}
    if not any(job.runs.is_superseded(each) for each in job.runs.attempts):
        # A superseded run that has not ended may have the machine; its end decides.
        assert named - gone(words) <= wanted | asked_back | in_doubt
    assert not wanted & (asked_back | in_doubt)
    assert not asked_back & in_doubt


def test_a_run_that_runs_on_another_machine_than_one_passed_on_is_stopped_by_its_own() -> None:
    """Its first machine is the next run's now, so a stop of that one would take it away."""
    job = after(
        said(1, "provisioning", "srv-a"),
        "time",
        said(2, "provisioning", "srv-a"),
        said(1, "running", "srv-b"),
    )
    assert job.runs.present.machine_id == "srv-b"

    job = told(job, said(1, "stopped", "srv-b"), NOON + timedelta(hours=1), 9)

    assert next(each for each in job.runs.attempts if each.number == 1).status == "stopped"
    assert answers(job) == ({"srv-a"}, set(), set())
