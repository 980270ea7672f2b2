"""The last run of a workflow."""

from __future__ import annotations

from domain.job.callback import Callback
from domain.job.commands.registration import QueueJob
from domain.workflows.files import load
from projections.reading.last_run import MOST_OWN, last_run, refs_of
from tests.support.stores.deployment import Deployment, settle

SHIPPED = load()


def queued(made: Deployment, job_id: str, workflow: str = "vm@1", user_id: str = "ada") -> None:
    made.milepost.queue(
        QueueJob(job_id=job_id, agent_id=f"of {job_id}", user_id=user_id, workflow=workflow)
    )
    made.milepost.record(Callback(job_id=job_id, status="running"))


def found(made: Deployment, workflow: str, user_id: str | None = None) -> str | None:
    job = last_run(workflow, made.reader, SHIPPED, user_id)
    return job.job_id if job else None


def test_the_newest_job_of_all_versions_is_the_last_run(stores: Deployment) -> None:
    queued(stores, "one")
    queued(stores, "two", "vm-verified@1")
    queued(stores, "three", user_id="bob")
    stores.milepost.record(Callback(job_id="one", type="heartbeat"))
    settle(stores)

    assert found(stores, "vm") == found(stores, "vm@1") == "three"
    assert found(stores, "vm-verified") == "two"
    assert found(stores, "none") is None


def test_a_job_that_names_no_workflow_is_a_run_of_the_default(stores: Deployment) -> None:
    queued(stores, "one")
    stores.milepost.record(Callback(job_id="stray", status="running"))
    settle(stores)

    assert found(stores, "vm") == "stray"
    assert refs_of("vm", SHIPPED) == refs_of("vm@1", SHIPPED) == ["vm@1", ""]
    assert refs_of("vm-verified", SHIPPED) == ["vm-verified@1"]
    assert refs_of("gone@3", SHIPPED) == ["gone@3"]


def test_of_a_users_jobs_only_the_newest_ones_are_looked_at(memory: Deployment) -> None:
    queued(memory, "verified", "vm-verified@1")
    queued(memory, "bobs", "vm-verified@1", "bob")
    for number in range(MOST_OWN - 1):
        queued(memory, f"job-{number}")
    settle(memory)

    assert found(memory, "vm-verified", "ada") == "verified"
    assert found(memory, "vm", "ada") == f"job-{MOST_OWN - 2}"
    assert found(memory, "vm", "bob") is None

    queued(memory, "one more")
    settle(memory)
    assert found(memory, "vm-verified", "ada") is None
