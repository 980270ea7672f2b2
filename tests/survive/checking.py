"""What must hold after a drill: every receipt is its event, and the log is what it was and more."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from domain.job.events import JobQueued
from domain.log.lost_end.contract import Loss
from tests.e2e.inspection import assert_nothing_lost_nothing_doubled, database_of, whole_log
from tests.support.processes.server import MILEPOST, Server
from tests.survive.senders import Senders
from tests.survive.waiting import PATIENCE_SECONDS


def assert_every_receipt_is_its_event(server: Server, senders: Senders) -> None:
    """Compare what the receipts said with one another, with the log and with the read model."""
    contradicted = {each: said for each, said in senders.places.items() if len(said) > 1}
    assert not contradicted, "receipts for one id name several events"
    assert_nothing_lost_nothing_doubled(server, senders)
    with database_of(server) as services:
        queued = Counter(
            (event.fact.idempotency_key, event.originator_id)
            for event in whole_log(services)
            if isinstance(event.fact, JobQueued)
        )
    assert set(queued.values()) <= {1}
    assert senders.registered.items() <= set(queued)


def losses(server: Server) -> Sequence[Loss]:
    """Return the lost ends of the log that the servers have noticed."""
    with database_of(server) as services:
        return services.milepost.store.losses()


def checkpoint(server: Server, file: Path) -> Path:
    """Take a checkpoint of the log into a file, as an operator does; return the file."""
    file.write_text(_milepost(server, "checkpoint", "--wait", str(PATIENCE_SECONDS)))
    return file


def assert_verified(server: Server, checkpoints: Sequence[Path]) -> None:
    """Run `milepost verify` with these checkpoints, which the log must extend."""
    options = [word for file in checkpoints for word in ("--checkpoint", str(file))]
    assert "no findings" in _milepost(server, "verify", *options)


def _milepost(server: Server, *arguments: str) -> str:
    done = subprocess.run(
        [MILEPOST, *arguments],
        env=server.env,
        cwd=server.home,
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, (arguments, done.stdout[-2000:], done.stderr[-2000:])
    return done.stdout
