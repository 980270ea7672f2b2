"""Ten failovers of a primary to its synchronous standby, under load."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final, Literal, TypeAlias, get_args

import pytest

from tests.support.processes.server import Make
from tests.survive import page
from tests.survive.checking import (
    assert_every_receipt_is_its_event,
    assert_verified,
    checkpoint,
    losses,
)
from tests.survive.clusters.pair import Interrupting, Pair, Rejoining
from tests.survive.senders import Send

pytestmark = pytest.mark.survive

End: TypeAlias = Interrupting | Literal["killed", "stopped"]
HALF: Final[tuple[End, ...]] = (
    "killed",
    "pg_cancel_backend",
    "stopped",
    "pg_terminate_backend",
    "killed",
)
ENDS: Final = HALF * 2
"""How each primary ends. Some of them lose their standby first, and somebody then interrupts the
commits that wait for it: what these have stored is gone after the failover."""
BETWEEN = 200
"""How many receipts there are from one failover to the next."""


def test_ten_failovers_of_a_pair_lose_no_receipt_and_double_none(
    pair: Pair, make_server: Make, send: Send, tmp_path: Path
) -> None:
    url = page.settings("# Milepost over two hosts", pair.addresses)["MILEPOST_DATABASE_URL"]
    servers = [make_server(url).start() for _ in range(2)]
    senders, checkpoints = send(servers), []
    senders.until_answered(BETWEEN)

    for number, end in enumerate(ENDS):
        checkpoints.append(checkpoint(servers[0], tmp_path / f"checkpoint-{number}"))
        lose_primary(pair, end)
        pair.fail_over()
        pair.rejoin(get_args(Rejoining)[number % 2])
        senders.until_answered(BETWEEN)
        sys.stdout.write(f"{end}: at most {senders.longest_pause():.1f} s without a receipt\n")

    senders.finish()
    senders.redeliver(known=1_000)
    for server in servers:
        assert server.stop() == 0
    assert senders.repeated > len(ENDS) * BETWEEN / 4
    assert senders.refused
    assert_every_receipt_is_its_event(servers[0], senders)
    assert_verified(servers[0], checkpoints)
    # An interrupted commit is seen, and has no receipt: that it is gone is worth a word.
    assert len(losses(servers[0])) <= sum(end in get_args(Interrupting) for end in ENDS)


def lose_primary(pair: Pair, end: End) -> None:
    """End the primary, so that its standby can be promoted."""
    if end == "killed":
        pair.primary.kill()
    elif end == "stopped":
        pair.primary.stop("immediate")
    else:
        pair.standby.stop()
        # Senders repeat what was interrupted, and the repetitions are interrupted, too.
        pair.primary.interrupt(end, least=20)
        pair.primary.kill()
        pair.standby.start()
