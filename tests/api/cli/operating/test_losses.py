"""`milepost losses`: what the log has lost, and that an operator knows of it."""

from __future__ import annotations

from domain.job.callback import Callback
from tests.support.people.shell import Shell
from tests.support.stores.deployment import Deployment
from tests.support.stores.losing import lose


def lose_an_end(made: Deployment) -> int:
    """Return the position of the newest lost event."""
    for _ in range(3):
        receipt = made.milepost.record(Callback(job_id="job", type="heartbeat"))
    lose(made, after=1)
    made.milepost.end.look()
    assert receipt.position is not None
    return receipt.position


def test_a_log_that_lost_nothing_says_so(databases: Deployment, shell: Shell) -> None:
    assert shell("losses", "list") == "The log has lost no end.\n"
    assert shell.json("losses", "list") == []
    assert shell.json("status")["lost_ends"] == []
    assert "lost its end" not in shell("status")
    assert "no lost end of the log waits for you" in shell.fails("losses", "acknowledge")


def test_a_lost_end_is_listed_and_acknowledged(databases: Deployment, shell: Shell) -> None:
    lost = lose_an_end(databases)

    [loss] = shell.json("losses", "list")
    assert (loss["position"], loss["job_id"], loss["acknowledged_at"]) == (lost, "job", None)
    assert shell.json("status")["lost_ends"] == [loss]
    assert f"lost its end: position {lost} was version" in shell("status")

    said = shell("losses", "acknowledge", "--reason", "restored the backup of Tuesday")

    assert said == "Acknowledged 1 lost end of the log.\n"
    assert shell.json("status")["lost_ends"] == []
    [loss] = shell.json("losses", "list")
    assert loss["acknowledged_at"]
    assert loss["reason"] == "restored the backup of Tuesday"
    assert "restored the backup of Tuesday" in shell("losses", "list")
    assert "no lost end of the log waits for you" in shell.fails("losses", "acknowledge")
