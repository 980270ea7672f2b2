"""The tree: a leaf for every event, in order of position, that only ever grows."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Sequence
from threading import Event, Thread

import msgspec
import pytest
from eventsourcing.persistence import IntegrityError, StoredEvent

from domain.evidence import merkle
from domain.evidence.merkle import Frontier
from domain.job.commands import QueueJob
from domain.log.store import Append
from projections.chore import AT_ONCE, IDLE_SECONDS
from projections.projecting.projector import Projector
from projections.tree.contract import TILE, Grown, Head, Tile, TileId, TreeBroken, TreeMoved
from projections.tree.grower import Grower
from projections.tree.proofs import Evidence, NotInTreeYet
from projections.tree.tiles import Nodes, grown, tails
from tests.support.deployment import Deployment
from tests.support.tampering import Database

LEAVES = [merkle.leaf_hash(str(number).encode()) for number in range(TILE * 3)]


def heartbeats(made: Deployment, count: int, job_id: str = "one") -> None:
    """Append many at once."""
    known = len(made.milepost.store.history(job_id))
    events = [
        StoredEvent(job_id, known + place, "HeartbeatReceived", b'{"recorded_at":%d}' % place)
        for place in range(1, count + 1)
    ]
    made.milepost.store.transact({}, [], lambda _: Append(events))


def root_of_log(made: Deployment, size: int | None = None) -> bytes:
    """Return the root that the log has, from all its events."""
    events = made.tree.log.events(0, 1_000_000)
    return Frontier().grown(event.leaf for event in events[:size]).root


def rolled_back(made: Deployment) -> None:
    """Leave a gap in the positions, where the database does."""
    taken = made.tree.log.events(0, 1)[0]
    event = StoredEvent(taken.job_id, taken.version, taken.topic, taken.state)
    with pytest.raises(IntegrityError):
        made.milepost.recorder.insert_events([event])


# Tiles


@pytest.mark.parametrize("seed", range(5))
def test_tiles_that_grow_in_pieces_have_the_nodes_of_the_whole(seed: int) -> None:
    """Over three levels, as 66,000 leaves have them."""
    chance = random.Random(seed)
    leaves = [chance.randbytes(32) for _ in range(TILE * TILE + 3 * TILE + 5)]
    kept: dict[TileId, Tile] = {}
    size, frontier = 0, Frontier()
    while size < len(leaves):
        more = leaves[size : size + chance.choice((1, 100, TILE, 3_000, 40_000))]
        positions = range(2 * size, 2 * (size + len(more)), 2)
        begun = {place: kept[place] for place in tails(size)}
        for each in grown(size, begun, more, positions):
            place = each.tile.level, each.tile.index
            before = kept.get(place)
            assert each.stored == (len(before) if before else 0)
            assert before is None or each.tile.hashes.startswith(before.hashes)
            kept[place] = each.tile
        size, frontier = size + len(more), frontier.grown(more)

    class Kept:
        def tiles(self, wanted: Sequence[TileId]) -> dict[TileId, Tile]:
            return {place: kept[place] for place in wanted if place in kept}

    nodes = Nodes(Kept())  # type: ignore[arg-type]  # of the contract, this is what it asks for
    assert nodes.frontier(size) == frontier
    for index in (0, TILE - 1, TILE * TILE, size - 1):
        proof = merkle.inclusion_proof(index, size, nodes.node)
        assert merkle.root_of_inclusion(index, size, leaves[index], proof) == frontier.root
        assert nodes.position(index) == 2 * index


def test_tiles_of_another_size_are_not_gone_on_from() -> None:
    for begun in ({}, {(0, 0): Tile(0, 0, b"".join(LEAVES[:2]), b"\0" * 16)}):
        with pytest.raises(TreeBroken, match="tile 0 of level 0"):
            grown(3, begun, LEAVES[3:5], [4, 5])


# The contract of the store


def stored(tree_tiles: Sequence[Tile]) -> list[Grown]:
    return [Grown(tile, 0) for tile in tree_tiles]


def tile(count: int, index: int = 0) -> Tile:
    positions = b"".join((TILE * index + place).to_bytes(8) for place in range(1, count + 1))
    return Tile(0, index, b"".join(LEAVES[:count]), positions)


def test_a_tree_begins_empty(stores: Deployment) -> None:
    assert stores.tree.head() == Head(0, 0)
    assert stores.tree.tiles([(0, 0)]) == {}
    assert stores.tree.tile_of(1) is None


def test_tiles_are_kept_as_they_were_appended(stores: Deployment) -> None:
    whole, begun = tile(TILE), tile(3, 1)
    above = Tile(1, 0, merkle.covering(whole.nodes()))
    stores.tree.append(Head(), Head(TILE + 3, TILE + 3), stored([whole, begun, above]))

    assert stores.tree.head() == Head(TILE + 3, TILE + 3)
    wanted = [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert stores.tree.tiles(wanted) == {(0, 0): whole, (0, 1): begun, (1, 0): above}
    assert stores.tree.tile_of(1) == whole
    assert stores.tree.tile_of(TILE + 2) == begun
    assert stores.tree.tile_of(TILE + 4) is None


def test_a_tree_that_somebody_else_grew_is_not_forked(stores: Deployment) -> None:
    stores.tree.append(Head(), Head(1, 1), stored([tile(1)]))

    for since in (Head(), Head(1, 2), Head(2, 1)):
        with pytest.raises(TreeMoved):
            stores.tree.append(since, Head(3, 3), [Grown(tile(3), 1)])
    assert stores.tree.head() == Head(1, 1)
    assert stores.tree.tiles([(0, 0)]) == {(0, 0): tile(1)}


def test_a_tile_that_is_not_as_it_was_left_is_not_written_over(stores: Deployment) -> None:
    stores.tree.append(Head(), Head(2, 2), stored([tile(2)]))

    for since_kept in (0, 1, 3):
        with pytest.raises(TreeBroken):
            stores.tree.append(Head(2, 2), Head(5, 5), [Grown(tile(5), since_kept)])
    assert stores.tree.head() == Head(2, 2)
    assert stores.tree.tiles([(0, 0)]) == {(0, 0): tile(2)}


def test_preparing_again_changes_nothing(stores: Deployment) -> None:
    stores.tree.append(Head(), Head(2, 2), stored([tile(2)]))

    stores.tree.prepare()

    assert stores.tree.head() == Head(2, 2)


def test_a_tree_that_lost_its_head_is_not_begun_anew(databases: Deployment) -> None:
    heartbeats(databases, 3)
    Grower(databases.tree).catch_up()
    Database(databases).run("DELETE FROM milepost_tree_head")

    databases.tree.prepare()

    with pytest.raises(TreeBroken, match="no head"):
        databases.tree.head()


def test_an_event_is_found_by_its_job_and_version(stores: Deployment) -> None:
    stores.milepost.queue(QueueJob(job_id="a/b ü", agent_id="agent", workflow="vm@1"))
    heartbeats(stores, 2)

    found = stores.tree.log.event("one", 2)
    assert found == stores.tree.log.events(0, 10)[2]
    assert found is not None
    assert (found.position, found.topic) == (3, "HeartbeatReceived")
    first = stores.tree.log.event("a/b ü", 1)
    assert first is not None
    assert first.state.startswith(b'{"recorded_at":')
    assert stores.tree.log.event("one", 3) is None
    assert stores.tree.log.event("two", 1) is None


# Growing


def test_every_event_gets_a_leaf_whatever_the_batches(stores: Deployment) -> None:
    grower = Grower(stores.tree, batch=100)
    for count in (1, 99, 100, 101, 300, 255, 1):
        heartbeats(stores, count)
        rolled_back(stores)
        grower.catch_up()

        head = stores.tree.head()
        events = stores.tree.log.events(0, 10_000)
        assert (head.size, head.position) == (len(events), events[-1].position)
        assert Evidence(stores.tree).root().root == root_of_log(stores)


def test_what_is_encrypted_is_hashed_as_it_is_stored(stores: Deployment) -> None:
    heartbeats(stores, 1)
    [event] = stores.tree.log.events(0, 10)

    entry = b'[1,"one",1,"HeartbeatReceived"]\n{"recorded_at":1}'
    assert event.leaf == merkle.leaf_hash(entry)


def test_a_grower_that_is_behind_says_that_there_is_more(stores: Deployment) -> None:
    heartbeats(stores, 5)
    grower = Grower(stores.tree, batch=2)

    assert [grower.step() for _ in range(4)] == [AT_ONCE, AT_ONCE, IDLE_SECONDS, IDLE_SECONDS]


def test_two_growers_make_one_tree(databases: Deployment) -> None:
    heartbeats(databases, 900)
    others = [databases, databases.again(), databases.again()]
    growers = [Grower(each.tree, batch=50) for each in others]

    def grow(grower: Grower) -> None:
        while grower.step() == AT_ONCE:
            pass

    threads = [Thread(target=grow, args=(grower,)) for grower in growers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    growers[0].catch_up()
    assert databases.tree.head().size == 900
    assert Evidence(databases.tree).root().root == root_of_log(databases)
    for each in others[1:]:
        each.close()


def test_a_projector_grows_the_tree_beside_its_own_work(databases: Deployment) -> None:
    """Until it has caught up, and again when something comes."""
    heartbeats(databases, 700)
    stop, grower = Event(), Grower(databases.tree, batch=100)
    projector = Projector(
        databases.milepost.store,
        databases.read_model,
        databases.milepost.mapper,
        databases.workflows,
        chores=[grower],
    )
    thread = Thread(target=projector.run, args=(stop,))
    thread.start()
    try:
        until(lambda: databases.tree.head().size == 700)
        heartbeats(databases, 1)
        until(lambda: databases.tree.head().size == 701)
    finally:
        stop.set()
        thread.join()
    assert Evidence(databases.tree).root().root == root_of_log(databases)


def until(condition: Callable[[], bool]) -> None:
    """Wait for what another thread does; fail after a while."""
    for _ in range(2_000):
        if condition():
            return
        Event().wait(0.01)
    raise AssertionError("it did not come")


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("DELETE FROM milepost_events WHERE notification_id = 5", "not in the log any more"),
        ("DELETE FROM milepost_events WHERE notification_id > 3", "not in the log any more"),
        ("UPDATE milepost_events SET topic = 'X' WHERE notification_id = 5", "not what was hashed"),
        ("DELETE FROM milepost_tree", "not what was hashed"),
        ("DELETE FROM milepost_tree_head", "no head"),
    ],
)
def test_a_tree_whose_log_lost_something_stops_and_says_so(
    databases: Deployment, statement: str, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Once, however often it looks; and it changes nothing."""
    heartbeats(databases, 5)
    grower = Grower(databases.tree)
    grower.catch_up()
    Database(databases).run(statement)
    heartbeats(databases, 3, "two")
    before = Database(databases).rows("SELECT * FROM milepost_tree")

    with caplog.at_level(logging.ERROR):
        assert [grower.step() for _ in range(3)] == [IDLE_SECONDS] * 3

    assert len(caplog.records) == 1
    assert fault in caplog.text
    assert "milepost verify" in caplog.text
    assert Database(databases).rows("SELECT * FROM milepost_tree") == before
    assert fault in (Evidence(databases.tree).growth().fault or "")
    with pytest.raises(TreeBroken):
        Evidence(databases.tree).root()


# Proofs


def test_every_event_is_proven_to_be_in_every_tree_since(stores: Deployment) -> None:
    heartbeats(stores, 10)
    rolled_back(stores)
    heartbeats(stores, 3)
    Grower(stores.tree).catch_up()
    evidence = Evidence(stores.tree)
    for size in range(1, 14):
        root = evidence.root(size)
        assert root.root == root_of_log(stores, size)
        assert root.position == stores.tree.log.events(0, size)[-1].position
        for version in range(1, size + 1):
            proof = evidence.proof("one", version, size)
            assert proof is not None
            assert (proof.leaf_index, proof.event.version) == (version - 1, version)
            leads_to = merkle.root_of_inclusion(
                proof.leaf_index, size, proof.event.leaf, proof.hashes
            )
            assert leads_to == proof.root.root == root.root
        extended, hashes = evidence.extension(size)
        merkle.check_consistency(size, root.root, extended.size, extended.root, hashes)
        if size < 13:
            with pytest.raises(NotInTreeYet):
                evidence.proof("one", size + 1, size)


def test_what_the_tree_has_not_reached_is_not_proven(stores: Deployment) -> None:
    evidence = Evidence(stores.tree)
    assert evidence.root() == evidence.root(0)
    assert evidence.root().root == merkle.EMPTY
    heartbeats(stores, 2)

    with pytest.raises(NotInTreeYet):
        evidence.proof("one", 1)
    Grower(stores.tree).catch_up()
    assert evidence.proof("one", 1)
    assert evidence.proof("one", 3) is None
    for size in (3, 10**9):
        with pytest.raises(NotInTreeYet):
            evidence.proof("one", 1, size)
        with pytest.raises(NotInTreeYet):
            evidence.root(size)
        with pytest.raises(NotInTreeYet):
            evidence.extension(size)


def test_what_was_changed_is_not_proven(databases: Deployment) -> None:
    heartbeats(databases, 5)
    Grower(databases.tree).catch_up()
    Database(databases).run("UPDATE milepost_events SET topic = 'X' WHERE notification_id = 2")
    Database(databases).run(
        "UPDATE milepost_events SET notification_id = 9 WHERE notification_id = 3"
    )

    with pytest.raises(TreeBroken, match="position 2 is not what was hashed"):
        Evidence(databases.tree).proof("one", 2)
    with pytest.raises((TreeBroken, NotInTreeYet)):
        Evidence(databases.tree).proof("one", 3)
    assert Evidence(databases.tree).proof("one", 1)


def test_growth_tells_how_far_the_tree_is_behind(stores: Deployment) -> None:
    heartbeats(stores, 5)
    Grower(stores.tree).catch_up()
    heartbeats(stores, 2)

    growth = Evidence(stores.tree).growth()

    assert msgspec.structs.astuple(growth) == (5, 5, None)
    assert growth.lag(stores.read_model.log.newest_position()) == 2
