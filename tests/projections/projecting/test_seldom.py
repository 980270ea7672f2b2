"""A projector that cannot go on says so once a minute."""

from __future__ import annotations

import logging
from threading import Event
from typing import Any

import pytest
from eventsourcing.persistence import OperationalError

from domain.job.callback import Callback
from projections.projecting.seldom import AGAIN_SECONDS, Seldom
from projections.read_model.contract import ReadModel
from projections.read_model.rows import Changes
from tests.support.projectors.projecting import projector
from tests.support.stores.deployment import Clock, Deployment

LOG = logging.getLogger("milepost.test")


def test_the_same_line_comes_once_a_minute_and_another_one_at_once(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    seldom = Seldom(LOG, clock.passed)
    with caplog.at_level(logging.WARNING, LOG.name):
        for _ in range(3):
            seldom.warning("away: %s", OSError("full"))
            seldom.warning("away: %s", OSError("gone"))
        clock.advance(AGAIN_SECONDS)
        seldom.warning("away: %s", OSError("full"))

    assert caplog.messages == ["away: full", "away: gone", "away: full"]


def test_a_bug_comes_once_a_minute_with_its_traceback(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    seldom = Seldom(LOG, clock.passed)
    with caplog.at_level(logging.WARNING, LOG.name):
        for _ in range(3):
            seldom.exception("cannot go on", ZeroDivisionError("a bug"))

    [record] = caplog.records
    assert record.levelno == logging.ERROR
    assert record.exc_info
    assert isinstance(record.exc_info[1], ZeroDivisionError)


def test_what_went_on_meanwhile_is_told_at_once(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    seldom = Seldom(LOG, clock.passed)
    with caplog.at_level(logging.WARNING, LOG.name):
        seldom.warning("away: %s", OSError("full"))
        seldom.forget()
        seldom.warning("away: %s", OSError("full"))

    assert len(caplog.messages) == 2


class FullDisk:
    """A read model whose rows cannot be written."""

    def __init__(self, real: ReadModel) -> None:
        self._real = real

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def apply(self, changes: Changes) -> None:
        raise OperationalError("the disk is full")


class Rounds(Event):
    """An event that is set once somebody has waited for it a few times; no time passes."""

    def __init__(self, rounds: int) -> None:
        super().__init__()
        self._left = rounds

    def wait(self, timeout: float | None = None) -> bool:
        self._left -= 1
        if not self._left:
            self.set()
        return self.is_set()


def test_a_projector_on_a_full_disk_says_so_in_one_line(
    memory: Deployment, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """It tries again each second, and is active each time until it writes."""
    memory.milepost.record(Callback(job_id="job", type="heartbeat"))
    full = projector(memory, FullDisk(memory.read_model), clock=clock.passed)

    with caplog.at_level(logging.INFO, "milepost.projector"):
        full.run(Rounds(5))

    assert caplog.messages == ["the database is away, trying again: the disk is full"]
