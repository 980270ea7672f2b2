"""An untouched store gives no finding, with any history and with any process beside."""

from __future__ import annotations

import random
from base64 import b64encode
from collections.abc import Collection, Mapping
from pathlib import Path
from threading import Event, Thread
from typing import Any, cast

import pytest
from eventsourcing.persistence import StoredEvent

from domain.errors import JobAlreadyRegistered, JobInProgress, JobNotFound
from domain.evidence.checkpoint import Checkpoint
from domain.evidence.merkle import Frontier
from domain.job.callback import Callback, Status
from domain.job.commands.registration import QueueJob
from domain.log.store import Append
from domain.transfer.importing import fill
from domain.transfer.jsonl import encode, unsealed
from domain.workflows.definition import Workflows
from projections.projecting.projector import Projector
from projections.tree.contract import TILE, Tile, TreeStore
from projections.tree.grower import Grower
from projections.verification.inspection.contract import Inspection, StoredRow
from tests.support.projectors.verifying import (
    LAST,
    append,
    carried_over,
    checkpoint,
    place,
    skip_positions,
    verification,
    verify,
    verify_job,
)
from tests.support.stores.deployment import NOON, Clock, Deployment, prepared_env, settle
from tests.support.stores.sealing import CIPHER
from tests.support.stores.tampering import Database

TURNS: tuple[Status, ...] = ("failed", "provisioning", "provisioning", "running")
STEPS = ("vm_created", "network_configured", "ansible_started", "coffee_made")


def append_rows(made: Deployment, *rows: StoredEvent) -> None:
    """Append these rows without a decision."""
    made.milepost.store.transact({}, [], lambda _: Append(rows))


def live(made: Deployment, chance: random.Random, times: int) -> None:
    """Let random things happen to some jobs; some of them are not registered."""
    for _ in range(times):
        made.clock.advance(chance.choice((1, 30, 200, 1_000)))
        job_id = f"job/{chance.randrange(12)} ü"
        action = chance.randrange(20)
        if action == 0:
            skip_positions(made, chance.randrange(1, 4))
        elif action == 1:
            version = len(made.milepost.store.history(job_id)) + 1
            unreadable = StoredEvent(job_id, version, "FromTheFuture", b"\xff{}")
            append_rows(made, unreadable)
        elif action == 2 and made.milepost.find(job_id).queued is None:
            user_id = chance.choice(("ada", "bob/ü", None))
            with_user = QueueJob(
                job_id=job_id,
                agent_id=f"of {user_id} {chance.randrange(3)}",
                user_id=user_id,
                workflow="vm@1",
                owner=chance.choice((None, user_id)),
                idempotency_key=chance.choice((None, "", f"k/{job_id}")),
                digest=chance.choice((None, "d")),
            )
            try:
                made.milepost.queue(with_user)
            except (JobInProgress, JobAlreadyRegistered):
                continue
        elif action == 3:
            made.milepost.time_out(job_id)
        elif action == 4:
            settle(made)
        elif action == 5:
            made.projector.catch_up()
        elif action == 6:
            Grower(made.tree, batch=chance.choice((1, 7, 300))).catch_up()
        else:
            made.milepost.record(callback(job_id, chance))


def callback(job_id: str, chance: random.Random) -> Callback:
    """Return a random callback of a workflow."""
    callback_id = f"cb/{chance.random()}"
    return chance.choice(
        (
            Callback(job_id=job_id, type="heartbeat", callback_id=callback_id),
            Callback(job_id=job_id, status="provisioning"),
            Callback(job_id=job_id, status="provisioning", step=chance.choice(STEPS)),
            Callback(
                job_id=job_id,
                status="failed",
                error="boom",
                server_id="srv-1",
                callback_id=callback_id,
                digest="failed",
            ),
            Callback(job_id=job_id, status="running", server_id="srv-2"),
            Callback(
                job_id=job_id,
                status="running",
                server_id="srv-2",
                server_ip="203.0.113.7",
                tailscale_ip="100.64.0.7",
                callback_id=callback_id,
                digest="running",
            ),
        )
    )


@pytest.mark.parametrize(
    ("seed", "sealed"),
    [(0, False), (1, True), (2, False), (3, True)],
    ids=["0", "1 encrypted", "2", "3 encrypted"],
)
@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_nothing_is_found_in_an_untouched_store(
    kind: str, seed: int, sealed: bool, request: pytest.FixtureRequest, workflows: Workflows
) -> None:
    """This holds at any time: with gaps, with a lagging projector, and with unreadable events."""
    env = prepared_env(kind, request) | (CIPHER if sealed else {})
    made, chance = Deployment(env, workflows, Clock()), random.Random(seed)
    signed: list[Checkpoint] = []
    try:
        for _ in range(4):
            live(made, chance, 60)
            findings, summary = verify(made, *signed)
            assert findings == []
            events = made.tree.log.events(0, 10_000)
            assert summary.events == len(events)
            assert summary.jobs == len({event.job_id for event in events})
            signed.append(checkpoint(made))
        for job_id in {event.job_id for event in events}:
            assert verify_job(made, job_id, *signed).findings == []
    finally:
        made.close()


def test_an_empty_store_has_nothing_to_find(databases: Deployment) -> None:
    findings, summary = verify(databases, checkpoint(databases))

    assert findings == []
    assert (summary.events, summary.jobs, summary.tree_size) == (0, 0, 0)
    with pytest.raises(JobNotFound):
        verify_job(databases, "nobody")


def test_the_summary_has_the_root_of_the_log(history: Deployment) -> None:
    events = history.tree.log.events(0, 1_000)
    root = b64encode(Frontier().grown(event.leaf for event in events).root).decode()
    append(history, [("a", 201)])

    summary = verify(history, checkpoint(history)).summary

    assert (summary.events, summary.jobs, summary.tree_size) == (601, 3, 600)
    assert (summary.position, summary.rows_compared) == (LAST + 1, True)
    settle(history)
    assert b64encode(checkpoint(history, 600).root).decode() == root
    assert verify(history).summary.root == b64encode(checkpoint(history).root).decode()


class Asked:
    """A tree that notes for which positions somebody looks up the tile."""

    def __init__(self, tree: TreeStore) -> None:
        self._tree = tree
        self.positions: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tree, name)

    def tile_of(self, position: int) -> Tile | None:
        self.positions.append(position)
        return self._tree.tile_of(position)


def test_verifying_one_job_looks_up_each_tile_once(history: Deployment) -> None:
    asked = Asked(history.tree)
    history.tree = cast(TreeStore, asked)

    assert verify_job(history, "b").findings == []

    # The first event of the job in each of the three tiles.
    assert asked.positions == [place(number).position for number in (2, TILE + 1, 2 * TILE + 3)]


def test_a_set_aside_event_is_counted_and_gives_no_finding(history: Deployment) -> None:
    unreadable = StoredEvent("a", 201, "FromTheFuture", b"{}")
    append_rows(history, unreadable)
    before = verify(history)
    settle(history)
    after = verify(history)

    for verified in (before, after):
        assert verified.findings == []
        assert verified.summary.set_aside == 1


def test_rows_of_another_shape_are_not_compared_and_the_summary_says_so(
    history: Deployment,
) -> None:
    Database(history).run("UPDATE milepost_read_model SET shape = '99'")

    findings, summary = verify(history)

    assert findings == []
    assert not summary.rows_compared


def test_a_server_may_go_on_while_its_log_is_verified(databases: Deployment) -> None:
    """Events that it appends, folds and hashes in the meantime give no finding."""
    beside = databases.again()
    grower = Grower(beside.tree, batch=50)
    projector = Projector(
        beside.milepost.store,
        beside.read_model,
        beside.milepost.mapper,
        beside.workflows,
        batch=50,
        snapshot_every=20,
        chores=[grower],
    )
    append(databases, [("long", version) for version in range(1, 2_501)])
    stop, written = Event(), 0

    def write() -> None:
        nonlocal written
        while not stop.is_set():
            job_id = f"job-{written % 7}"
            said = TURNS[written % len(TURNS)]
            beside.milepost.record(
                Callback(
                    job_id=job_id,
                    status=said,
                    server_id="srv-1",
                    workflow_run_id=f"run-{written}",
                    callback_id=f"cb-{written}",
                )
            )
            if written % 50 == 0:
                beside.milepost.queue(
                    QueueJob(
                        job_id=f"other-{written}",
                        agent_id="agent",
                        user_id=None,
                        workflow="vm@1",
                        idempotency_key=f"k-{written}",
                    )
                )
            if written < 7:
                beside.milepost.queue(
                    QueueJob(job_id=job_id, agent_id=job_id, user_id=f"u-{job_id}", workflow="vm@1")
                )
            beside.read_model.wake()
            written += 1

    threads = [Thread(target=write), Thread(target=projector.run, args=(stop,))]
    for thread in threads:
        thread.start()
    try:
        sizes = [verify(databases) for _ in range(3)]
        compared = list(databases.rebuild.comparison().with_events())
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        beside.close()

    assert [verified.findings for verified in sizes] == [[]] * 3
    assert [differences for _, differences in compared if differences] == []
    assert sizes[-1].summary.events > sizes[0].summary.events >= 2_500
    assert written


class Moving:
    """Reads of rows that change at the first reads."""

    def __init__(self, real: Inspection, unsettled: int) -> None:
        self._real, self._unsettled = real, unsettled

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def rows(self, view: str, job_ids: Collection[str]) -> Mapping[str, StoredRow]:
        rows = self._real.rows(view, job_ids)
        if self._unsettled:
            self._unsettled -= 1
            return {
                job_id: StoredRow(f"{{{self._unsettled}", row.columns)
                for job_id, row in rows.items()
            }
        return rows


def test_nothing_is_found_in_an_imported_store(
    databases: Deployment, workflows: Workflows, tmp_path: Path
) -> None:
    """The import made its keys and snapshots from the events."""
    env = {"PERSISTENCE_MODULE": "domain.log.sqlite", "SQLITE_DBNAME": str(tmp_path / "source.db")}
    source, chance = Deployment(env, workflows, Clock()), random.Random(5)
    try:
        live(source, chance, 300)
        stored = source.milepost.store.events(0, 10_000)
        lines = [encode(unsealed(event, source.milepost.mapper)) for event in stored]
    finally:
        source.close()
    fill(
        databases.milepost.store,
        databases.milepost.mapper,
        lines,
        None,
        batch=7,
        remembered_bytes=1,
    )
    settle(databases)

    findings, summary = verify(databases)

    assert findings == []
    assert summary.events == len(lines)


@pytest.mark.parametrize("unsettled", [1, 2, 3])
def test_a_row_is_read_again_before_it_is_reported(history: Deployment, unsettled: int) -> None:
    reads = cast("Inspection", Moving(history.kit.inspection, unsettled))
    one = verification(history, print, reads=reads)

    assert one.one_job("a", NOON).findings == 0


@pytest.mark.parametrize("stops", [1, 2, 3])
def test_an_interrupted_verification_goes_on_and_has_the_same_summary(
    history: Deployment, stops: int
) -> None:
    """This holds for an interruption in any part of it."""
    append(history, [(f"job-{number:03}", 1) for number in range(2_500)])
    settle(history)
    signed = [checkpoint(history, size) for size in (0, 1, 255, 256, 257, 600, 2_500)]
    whole = verify(history, *signed).summary
    beginning = verification(history, print, signed)
    state = beginning.begin("here", whole.began_at)
    goes_on, interrupted = True, 0

    while goes_on:
        budget = stops

        def advance(count: int) -> None:
            nonlocal budget
            budget -= count > 0
            if budget < 0:
                raise KeyboardInterrupt

        one = verification(history, print, signed)
        try:
            summary = one.run(state, "here", advance)
            goes_on = False
        except KeyboardInterrupt:
            before, state = state, carried_over(one.state)
            assert state != before or stops == 1
            interrupted += 1
            stops += 1

    assert interrupted > 2
    assert summary == whole
