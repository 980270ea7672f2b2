"""Nobody is charged for Milepost's absence, and no dead job lives on for it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from projections.reactions.deadlines import noted
from projections.reactions.presence import Presence
from projections.read_model.contract import REFUSED
from tests.support.jobs.strategies import minute
from tests.support.projectors.watching import heartbeat, queue, status, watch_over
from tests.support.stores.deployment import NOON, Clock, Deployment

ALIVE, DEAD = "alive", "dead"


class World:
    """A job that is alive and one that is dead, and a Milepost that sometimes is not there."""

    def __init__(self, made: Deployment) -> None:
        self.made, self.clock = made, made.clock
        self.watch = watch_over(made)
        self.hear(ALIVE, DEAD)
        self.died = self.heard_at = self.clock.passed()
        self.ended: float | None = None

    def hear(self, *job_ids: str) -> None:
        for job_id in job_ids:
            heartbeat(self.made, job_id)

    def look(self) -> None:
        """Let the projector and its chore do a round."""
        self.made.projector.catch_up()
        self.watch.step()
        if self.ended is None and self.status(DEAD) == "failed":
            self.ended = self.clock.passed()

    def live(self, seconds: float) -> None:
        """Let time pass with a heartbeat of the job that is alive every 60 s, and rounds."""
        for _ in range(int(seconds) // 10):
            self.clock.advance(10)
            if self.clock.passed() >= self.heard_at + 60:
                self.hear(ALIVE)
                self.heard_at = self.clock.passed()
            self.look()

    def status(self, job_id: str) -> str:
        return self.made.milepost.find(job_id).attempt.status

    @property
    def silence(self) -> float:
        """For how many real seconds the dead job had been silent when it was given up."""
        assert self.ended is not None
        return self.ended - self.died


@pytest.fixture
def world(memory: Deployment) -> World:
    return World(memory)


def test_with_everybody_there_a_dead_job_ends_after_its_deadline(world: World) -> None:
    world.live(1200)

    assert 900 < world.silence <= 910
    assert world.status(ALIVE) == "provisioning"


@pytest.mark.parametrize("seconds", [61, 16 * 60, 3 * 3600])
def test_a_process_that_was_stopped_gives_the_jobs_time_to_be_heard(
    world: World, seconds: int
) -> None:
    """SIGSTOP, or a host that slept: no callback was recorded, and all clocks went on."""
    world.live(300)
    world.clock.advance(seconds)
    world.look()
    world.live(1200)

    assert world.status(ALIVE) == "provisioning"
    assert world.silence <= max(900, 300 + seconds + 150) + 20


def test_all_of_it_is_so_on_databases_too(databases: Deployment) -> None:
    world = World(databases)
    world.live(120)
    world.clock.set_by(-3600)
    world.live(240)
    world.clock.advance(16 * 60)
    world.live(240)

    assert world.status(ALIVE) == "provisioning"
    assert world.silence <= 120 + 240 + 960 + 150 + 20


def test_a_short_absence_costs_no_patience(world: World) -> None:
    world.live(840)
    world.clock.advance(50)
    world.live(60)

    assert world.silence <= 910


@pytest.mark.parametrize("seconds", [20 * 60, 12 * 3600])
def test_a_clock_that_was_set_ahead_ends_no_job_early(world: World, seconds: int) -> None:
    world.live(300)
    world.clock.set_by(seconds)
    world.live(1200)

    assert world.status(ALIVE) == "provisioning"
    assert 900 < world.silence <= 900 + 120


@pytest.mark.parametrize("seconds", [31, 3600, 26 * 3600])
def test_a_clock_that_was_set_back_lets_no_dead_job_live_on(world: World, seconds: int) -> None:
    world.live(300)
    world.clock.set_by(-seconds)
    world.live(2400)

    assert world.status(ALIVE) == "provisioning"
    assert 900 < world.silence <= 900 + 120


def test_a_clock_that_was_set_ahead_and_back_again_changes_nothing(world: World) -> None:
    world.live(300)
    world.clock.set_by(1200)
    world.live(200)
    world.clock.set_by(-1200)
    world.live(1200)

    assert world.status(ALIVE) == "provisioning"
    assert 900 < world.silence <= 900 + 120


def test_a_job_that_dies_after_the_clock_was_set_back_ends_in_time(world: World) -> None:
    world.live(300)
    world.clock.set_by(-3600)
    world.live(120)
    world.hear(DEAD)
    world.died, world.ended = world.clock.passed(), None
    world.live(1200)

    assert 900 < world.silence <= 910


def test_a_start_deadline_moves_with_the_clock_too(memory: Deployment, clock: Clock) -> None:
    """Ahead: the job has its whole hour. Back: it does not get one more."""
    watch = watch_over(memory)
    queue(memory, "job")
    memory.projector.catch_up()
    for _ in range(6):
        clock.advance(30)
        watch.step()
    clock.set_by(2 * 3600)
    for _ in range(60):
        clock.advance(30)
        watch.step()
    assert status(memory, "job") == "queued"

    clock.set_by(-5 * 3600)
    for _ in range(60):
        clock.advance(30)
        watch.step()

    assert status(memory, "job") == "failed"


def test_a_database_that_was_stopped_is_an_absence(world: World) -> None:
    """No step of the chore succeeded, and the runner begins it anew."""
    world.live(300)
    world.clock.advance(16 * 60)
    world.watch.begin()
    world.look()
    world.live(600)

    assert world.status(ALIVE) == "provisioning"
    assert world.silence <= 300 + 960 + 150 + 20


def test_a_new_projector_goes_on_with_the_stored_patience(databases: Deployment) -> None:
    """However often projectors change, a dead job ends two heartbeats after the return."""
    world = World(databases)
    world.live(300)
    world.clock.advance(16 * 60)
    returned = world.clock.passed()
    for _ in range(20):
        another = databases.again()
        world.watch = watch_over(another)
        world.live(20)
        another.close()

    assert world.status(ALIVE) == "provisioning"
    assert world.ended is not None
    assert 150 <= world.ended - returned <= 190


def test_a_new_projector_after_a_long_absence_is_patient(databases: Deployment) -> None:
    world = World(databases)
    world.live(300)
    world.clock.advance(16 * 60)
    world.watch = watch_over(databases.again())
    world.look()

    assert world.status(ALIVE) == "provisioning"
    note = noted(databases.read_model)
    assert note.sentence(world.clock()).startswith("patient until 12:23:")


def test_a_projector_that_was_inactive_takes_anothers_looks_for_its_own(
    databases: Deployment,
) -> None:
    """It lost the lock for an hour, in which the other one looked."""
    world = World(databases)
    first, other = world.watch, watch_over(databases.again())
    world.live(300)
    world.watch = other
    other.begin()
    world.live(3600)
    world.watch = first
    first.begin()
    world.look()

    assert noted(databases.read_model).presence.jumps == ()


def test_callbacks_that_were_answered_503_ask_for_patience(world: World) -> None:
    """Another process says when it could store callbacks again."""
    world.live(890)
    world.made.read_model.keep_note(REFUSED, world.clock().isoformat())
    world.live(120)
    assert world.status(DEAD) == "provisioning"

    world.live(60)

    assert world.status(DEAD) == "failed"


# The rules alone


def test_the_first_look_of_a_store_is_patient() -> None:
    assert Presence().returned(NOON, 0).is_patient(minute(2))


@pytest.mark.parametrize(
    ("look", "reason"),
    [
        (lambda seen: seen.looked(minute(2), 120, 7), "Milepost was away for 120 s"),
        (lambda seen: seen.looked(minute(20), 1, 7), "the store's clock was set ahead by 1199 s"),
        (lambda seen: seen.looked(minute(-60), 1, 7), "the store's clock was set back by 3601 s"),
        (lambda seen: seen.looked(minute(0.5), 1, 7, 5), None),
        (lambda seen: seen.looked(minute(1), 59, 7), None),
    ],
)
def test_what_two_clocks_say_has_a_reason(
    look: Callable[[Presence], Presence], reason: str | None
) -> None:
    assert look(Presence(seen_at=NOON)).reason == reason


def test_a_jump_is_forgotten_when_no_deadline_can_span_it() -> None:
    jumped = Presence(seen_at=NOON).looked(minute(20), 0, 7)

    assert jumped.without_old_jumps(minute(79), 3600).jumps
    assert not jumped.without_old_jumps(minute(81), 3600).jumps
