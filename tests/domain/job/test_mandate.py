"""A mandate lets a sender report on some registered jobs."""

from __future__ import annotations

import pytest

from domain.errors import NotItsJob
from domain.job.callback import Callback, RefusedCallback
from domain.job.commands.registration import QueueJob
from domain.job.events import JobQueued
from domain.job.mandate import Mandate
from tests.support.stores.deployment import NOON, Deployment

QUEUED = JobQueued(recorded_at=NOON, agent_id="a", user_id="ada", workflow="vm@2")
OF_NOBODY = JobQueued(recorded_at=NOON, agent_id="a", workflow="vm@2")


@pytest.mark.parametrize(
    ("mandate", "covers"),
    [
        (Mandate(), True),
        (Mandate(job_id="job"), True),
        (Mandate(job_id="job2"), False),
        (Mandate(workflows=frozenset({"vm"})), True),
        (Mandate(workflows=frozenset({"vm@2"})), False),
        (Mandate(users=frozenset({"ada"})), True),
        (Mandate(users=frozenset({"bob"})), False),
        (Mandate(workflows=frozenset({"vm"}), users=frozenset({"bob"})), False),
    ],
)
def test_a_mandate_covers_registered_jobs_within_all_of_its_limits(
    mandate: Mandate, covers: bool
) -> None:
    assert mandate.covers("job", QUEUED) is covers
    assert mandate.covers("job", None) is False


def test_a_job_without_a_user_is_no_users() -> None:
    assert Mandate(users=frozenset({"ada"})).covers("job", OF_NOBODY) is False
    assert Mandate(workflows=frozenset({"vm"})).covers("job", OF_NOBODY)


def test_the_transaction_that_appends_asks_the_mandate(stores: Deployment) -> None:
    """Also for a redelivery, whose receipt says where the callback is stored."""
    milepost = stores.milepost
    milepost.queue(QueueJob(job_id="job", agent_id="agent", workflow="vm@1"))
    milepost.record(Callback(job_id="job", type="heartbeat", callback_id="cb-1", digest="d"))
    mandate = Mandate(job_id="another")

    for callback in (
        Callback(job_id="job", type="heartbeat", mandate=mandate),
        Callback(job_id="job", type="heartbeat", callback_id="cb-1", digest="d", mandate=mandate),
    ):
        with pytest.raises(NotItsJob):
            milepost.record(callback)
    refused = RefusedCallback(job_id="job", reason="r", detail="d", body=b"", mandate=mandate)

    assert milepost.keep_refusal(refused).position is None
    assert milepost.find("job").version == 2
