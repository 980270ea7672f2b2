"""A cluster that Patroni and etcd run: three leaders are killed, and two switched over."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.support.processes.server import Make
from tests.survive import page
from tests.survive.checking import (
    assert_every_receipt_is_its_event,
    assert_verified,
    checkpoint,
    losses,
)
from tests.survive.clusters.patroni import Cluster
from tests.survive.senders import Send

pytestmark = pytest.mark.survive

ACTS = ("kill", "switch over", "kill", "switch over", "kill")
BETWEEN = 200
"""How many receipts there are from one act to the next."""


def test_three_kills_and_two_switchovers_of_patroni_lose_no_receipt_and_double_none(
    cluster: Cluster, make_server: Make, send: Send, tmp_path: Path
) -> None:
    url = page.settings("# Milepost over three hosts", cluster.addresses)["MILEPOST_DATABASE_URL"]
    servers = [make_server(url).start() for _ in range(2)]
    senders, checkpoints = send(servers), []
    senders.until_answered(BETWEEN)

    for number, act in enumerate(ACTS):
        checkpoints.append(checkpoint(servers[0], tmp_path / f"checkpoint-{number}"))
        if act == "kill":
            cluster.start_again(cluster.kill_leader())
        else:
            cluster.switch_over()
        senders.until_answered(BETWEEN)
        sys.stdout.write(f"{act}: at most {senders.longest_pause():.1f} s without a receipt\n")

    senders.finish()
    cluster.until_whole()
    senders.redeliver(known=1_000)
    for server in servers:
        assert server.stop() == 0
    assert senders.refused
    assert_every_receipt_is_its_event(servers[0], senders)
    assert_verified(servers[0], checkpoints)
    assert not losses(servers[0]), "nothing that was seen is gone"
