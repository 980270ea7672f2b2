"""The tree has a leaf for every event, in order of position, and only grows."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Sequence
from threading import Event, Thread

import msgspec
import pytest
from eventsourcing.persistence import IntegrityError, StoredEvent

from domain.evidence import merkle
from domain.evidence.merkle import Frontier, InvalidProof
from domain.job.commands.registration import QueueJob
from domain.log.store import Append
from projections.chore import AT_ONCE, IDLE_SECONDS
from projections.projecting.projector import Projector
from projections.tree.contract import TILE, Grown, Head, Tile, TileId, TreeBroken, TreeMoved
from projections.tree.grower import Grower
from projections.tree.proofs import Evidence, NoSuchTree, NotInTreeYet
from projections.tree.tiles import CACHED_INSIDE, Nodes, grown, tails
from tests.support.stores.deployment import Deployment
from tests.support.stores.tampering import Database

LEAVES = [merkle.leaf_hash(str(number).encode()) for number in range(TILE * 3)]


def heartbeats(made: Deployment, count: int, job_id: str = "one") -> None:
    """Append many events in one transaction."""
    known = len(made.milepost.store.history(job_id))
    events = [
        StoredEvent(job_id, known + number, "HeartbeatReceived", b'{"recorded_at":%d}' % number)
        for number in range(1, count + 1)
    ]
    made.milepost.store.transact({}, [], lambda _: Append(events))


def root_of_log(made: Deployment, size: int | None = None) -> bytes:
    """Return the log's root, computed from all its events."""
    events = made.tree.log.events(0, 1_000_000)
    return Frontier().grown(event.leaf for event in events[:size]).root


def rolled_back(made: Deployment) -> None:
    """Leave a gap in the positions, if the database can have gaps."""
    first = made.tree.log.events(0, 1)[0]
    event = StoredEvent(first.job_id, first.version, first.topic, first.state)
    with pytest.raises(IntegrityError):
        made.milepost.recorder.insert_events([event])


# Tiles


@pytest.mark.parametrize("seed", range(5))
def test_tiles_that_grow_in_pieces_have_the_nodes_of_the_whole(seed: int) -> None:
    """This holds over three levels, as 66,000 leaves have them."""
    chance = random.Random(seed)
    leaves = [chance.randbytes(32) for _ in range(TILE * TILE + 3 * TILE + 5)]
    stored: dict[TileId, Tile] = {}
    size, frontier = 0, Frontier()
    while size < len(leaves):
        more = leaves[size : size + chance.choice((1, 100, TILE, 3_000, 40_000))]
        positions = range(2 * size, 2 * (size + len(more)), 2)
        begun = {tile_id: stored[tile_id] for tile_id in tails(size)}
        for each in grown(size, begun, more, positions):
            tile_id = each.tile.level, each.tile.index
            before = stored.get(tile_id)
            assert each.stored == (len(before) if before else 0)
            assert before is None or each.tile.hashes.startswith(before.hashes)
            stored[tile_id] = each.tile
        size, frontier = size + len(more), frontier.grown(more)

    class StoredTiles:
        def tiles(self, wanted: Sequence[TileId]) -> dict[TileId, Tile]:
            return {tile_id: stored[tile_id] for tile_id in wanted if tile_id in stored}

    nodes = Nodes(StoredTiles())  # type: ignore[arg-type]  # it calls only this method
    assert nodes.frontier(size) == frontier
    for index in (0, TILE - 1, TILE * TILE, size - 1):
        proof = merkle.inclusion_proof(index, size, nodes.node)
        assert merkle.root_of_inclusion(index, size, leaves[index], proof) == frontier.root
        assert nodes.position(index) == 2 * index


def test_a_node_inside_a_tile_is_computed_once_and_also_right_beyond_the_bound_of_the_cache(
    memory: Deployment,
) -> None:
    leaves = [merkle.leaf_hash(b"%d" % number) for number in range(2 * CACHED_INSIDE + TILE)]
    memory.tree.append(Head(), Head(len(leaves), 1), grown(0, {}, leaves, range(len(leaves))))
    nodes = Nodes(memory.tree)

    assert nodes.node(7, 0) is nodes.node(7, 0)
    for index in range(CACHED_INSIDE + 1):
        assert nodes.node(1, index) == merkle.node_hash(*leaves[2 * index : 2 * index + 2])


def test_tiles_of_another_size_are_refused() -> None:
    for begun in ({}, {(0, 0): Tile(0, 0, b"".join(LEAVES[:2]), b"\0" * 16)}):
        with pytest.raises(TreeBroken, match="tile 0 of level 0"):
            grown(3, begun, LEAVES[3:5], [4, 5])


# The contract of the store


def stored(tree_tiles: Sequence[Tile]) -> list[Grown]:
    return [Grown(tile, 0) for tile in tree_tiles]


def tile(count: int, index: int = 0) -> Tile:
    positions = b"".join((TILE * index + offset).to_bytes(8) for offset in range(1, count + 1))
    return Tile(0, index, b"".join(LEAVES[:count]), positions)


def test_a_tree_begins_empty(stores: Deployment) -> None:
    assert stores.tree.head() == Head(0, 0)
    assert stores.tree.tiles([(0, 0)]) == {}
    assert stores.tree.tile_of(1) is None


def test_tiles_are_stored_as_they_were_appended(stores: Deployment) -> None:
    whole, begun = tile(TILE), tile(3, 1)
    above = Tile(1, 0, merkle.covering(whole.nodes()))
    stores.tree.append(Head(), Head(TILE + 3, TILE + 3), stored([whole, begun, above]))

    assert stores.tree.head() == Head(TILE + 3, TILE + 3)
    wanted = [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert stores.tree.tiles(wanted) == {(0, 0): whole, (0, 1): begun, (1, 0): above}
    assert stores.tree.tile_of(1) == whole
    assert stores.tree.tile_of(TILE + 2) == begun
    assert stores.tree.tile_of(TILE + 4) is None


def test_a_tree_that_another_process_grew_is_not_forked(stores: Deployment) -> None:
    stores.tree.append(Head(), Head(1, 1), stored([tile(1)]))

    for since in (Head(), Head(1, 2), Head(2, 1)):
        with pytest.raises(TreeMoved):
            stores.tree.append(since, Head(3, 3), [Grown(tile(3), 1)])
    assert stores.tree.head() == Head(1, 1)
    assert stores.tree.tiles([(0, 0)]) == {(0, 0): tile(1)}


def test_a_changed_tile_is_not_overwritten(stores: Deployment) -> None:
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


def test_a_log_gets_an_origin_that_stays(stores: Deployment) -> None:
    origin = stores.tree.origin()

    stores.tree.prepare()

    assert origin is not None
    assert stores.tree.origin() == origin


def test_two_servers_that_start_at_once_agree_on_the_origin(databases: Deployment) -> None:
    Database(databases).run("DELETE FROM milepost_tree_origin")
    others = [databases.again() for _ in range(2)]
    trees = [databases.tree, *(other.tree for other in others)]
    Database(databases).run("DELETE FROM milepost_tree_origin")
    assert databases.tree.origin() is None

    threads = [Thread(target=tree.prepare) for tree in trees]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len({tree.origin() for tree in trees} - {None}) == 1
    for other in others:
        other.close()


def test_a_tree_without_its_head_does_not_begin_again(databases: Deployment) -> None:
    heartbeats(databases, 3)
    Grower(databases.tree).catch_up()
    Database(databases).run("DELETE FROM milepost_tree_head")

    databases.tree.prepare()

    with pytest.raises(TreeBroken, match="no head"):
        databases.tree.head()


def test_an_event_is_found_by_its_job_and_version(stores: Deployment) -> None:
    stores.milepost.queue(QueueJob(job_id="a/b ü", agent_id="agent", workflow="vm@1"))
    heartbeats(stores, 2)

    event = stores.tree.log.event("one", 2)
    assert event == stores.tree.log.events(0, 10)[2]
    assert event is not None
    assert (event.position, event.topic) == (3, "HeartbeatReceived")
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


def test_an_encrypted_event_is_hashed_as_it_is_stored(stores: Deployment) -> None:
    heartbeats(stores, 1)
    [event] = stores.tree.log.events(0, 10)

    entry = b'[1,"one",1,"HeartbeatReceived"]\n{"recorded_at":1}'
    assert event.leaf == merkle.leaf_hash(entry)


def test_a_grower_that_is_behind_wants_its_next_step_at_once(stores: Deployment) -> None:
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
    """It grows the tree until it has caught up, and again after new events."""
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
        projector.interrupt()
        thread.join()
    assert Evidence(databases.tree).root().root == root_of_log(databases)


def until(condition: Callable[[], bool]) -> None:
    """Wait until another thread has done its work; fail after a time."""
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
def test_a_tree_whose_log_lost_an_event_stops_and_logs_the_fault(
    databases: Deployment, statement: str, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The grower logs the fault once, also after many steps, and changes nothing."""
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
            with pytest.raises(InvalidProof):
                evidence.proof("one", size + 1, size)


def test_an_event_that_the_tree_has_not_reached_has_no_proof(stores: Deployment) -> None:
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
        with pytest.raises(NoSuchTree):
            evidence.proof("one", 1, size)
        with pytest.raises(NoSuchTree):
            evidence.root(size)
        with pytest.raises(NoSuchTree):
            evidence.extension(size)


def test_a_changed_event_has_no_proof(databases: Deployment) -> None:
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
