"""Documents of the first shape are shown in lists until a rebuild has replaced them."""

from __future__ import annotations

from projections.views.instance import Instance
from projections.views.view import Views
from tests.support.jobs.strategies import minute

# As the first release stored it: a second attempt that runs and has been asked to stop.
STOPPING = (
    '{"job_id":"job-1","version":9,"position":9,"first_position":1,"agent_id":"agent-1",'
    '"user_id":"ada","region":"us-east","workflow":"vm@1","created_at":"2026-03-02T12:00:00Z",'
    '"queued_at":"2026-03-02T12:00:00Z","updated_at":"2026-03-02T12:05:00Z",'
    '"attempt":{"number":2,"earlier_run_ids":["1"],"run_id":{"value":"2"},'
    '"claim":{"recorded_at":"2026-03-02T12:03:00Z"},"announced":true,"final":{"status":"running",'
    '"moment":{"recorded_at":"2026-03-02T12:04:00Z"}},"server_id":{"value":"srv-2"},'
    '"server_ip":{"value":"10.0.0.2"},"tailscale_ip":{"value":"100.0.0.2"}},'
    '"stop_requested_at":"2026-03-02T12:05:00Z"}'
)
PENDING = '{"job_id":"job-2","version":1,"position":10,"agent_id":"agent-2"}'
VIEW = Views().instance


def test_an_instance_of_the_first_shape_has_its_attempt() -> None:
    instance = VIEW.load("job-1", STOPPING)

    assert (instance.status, instance.attempt.number) == ("stopping", 2)
    assert instance.attempt.stop_requested_at == minute(5)
    assert instance.attempt.is_machine("srv-2")


def test_a_pending_instance_is_the_same_in_both_shapes() -> None:
    assert VIEW.load("job-2", PENDING).status == "pending"


def test_a_document_of_this_shape_is_read_as_it_is() -> None:
    instance = VIEW.load("job-1", STOPPING)

    assert VIEW.load("job-1", VIEW.dump(instance)) == instance
    assert VIEW.load("job", VIEW.dump(Instance("job"))) == Instance("job")
