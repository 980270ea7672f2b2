"""Fixtures: clusters, senders and a balancer, which end with the test, however it ends."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from tests.support.processes.server import Server
from tests.survive.balancer import Balance, Balancer
from tests.survive.clusters.pair import Pair
from tests.survive.clusters.patroni import Cluster
from tests.survive.senders import Send, Senders


@pytest.fixture
def pair() -> Iterator[Pair]:
    """A primary and its synchronous standby."""
    made = Pair()
    try:
        yield made.start()
    finally:
        made.remove()


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """Three members of a Patroni cluster, and their etcd."""
    made = Cluster()
    try:
        yield made.start()
    finally:
        made.remove()


@pytest.fixture
def send() -> Iterator[Send]:
    """Senders that are stopped with the test."""
    started: list[Senders] = []

    def send(servers: Sequence[Server]) -> Senders:
        started.append(Senders(servers, threads=6, seed=len(servers)).start())
        return started[-1]

    yield send
    for senders in started:
        senders.stop()


@pytest.fixture
def balance() -> Iterator[Balance]:
    """Start haproxy before two servers."""
    started: list[Balancer] = []

    def balance(servers: Sequence[Server]) -> Balancer:
        started.append(Balancer(servers))
        return started[-1]

    yield balance
    for balancer in started:
        balancer.remove()
