"""Verifying finds each kind of tampering by SQL, and says where it was done."""

from __future__ import annotations

import pytest

from projections.chore import IDLE_SECONDS
from projections.tree.grower import Grower
from tests.support.projectors.verifying import (
    EACH,
    GAP_AFTER,
    JOBS,
    LAST,
    append,
    at,
    begin_the_tree_anew,
    checkpoint,
    fold_anew,
    place,
    verify,
    verify_job,
)
from tests.support.stores.deployment import Deployment, settle
from tests.support.stores.tampering import Database

N = 100
"""An event in the middle of the first tile: number 100, position 100, version 34 of job a."""
IN_GAP = GAP_AFTER + 3
STATE = "UPDATE milepost_events SET state = ? WHERE notification_id = ?"


def flipped(raw: bytes) -> bytes:
    """Return the bytes with one bit of their last digit changed, for example in a second."""
    at = max(place for place, byte in enumerate(raw) if byte in b"0123456789")
    return raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]


# Events


@pytest.mark.parametrize("number", [1, 3, N, 256, 257, 512, 513, 599, 600])
def test_one_changed_byte_of_a_state_is_found(history: Deployment, number: int) -> None:
    event, where = at(history, number), place(number)
    Database(history).run(STATE, [flipped(event.state), where.position])

    found = verify(history).one("changed")

    assert (found.position, found.job_id, found.version) == where[1:]
    assert f"leaf {number - 1})" in found.expected
    assert event.leaf.hex() in found.expected
    assert verify_job(history, where.job_id).one("changed") == found


def test_a_changed_topic_is_found_and_what_it_was(history: Deployment) -> None:
    Database(history).run(
        "UPDATE milepost_events SET topic = 'MetadataReported' WHERE notification_id = ?", [N]
    )

    verified = verify(history)

    assert verified.places == {("changed", N, "a", 34)}
    assert verified.findings[0].expected == "the topic HeartbeatReceived"
    assert verified.findings[0].found == "the topic MetadataReported"


def test_a_changed_job_is_found_and_which_it_was(history: Deployment) -> None:
    Database(history).run(
        "UPDATE milepost_events SET originator_id = 'd' WHERE notification_id = ?", [N]
    )

    verified = verify(history)

    assert {("changed", N, "d", 34), ("version", N, "a", 34)} <= verified.places
    [was] = [f for f in verified.findings if f.kind == "version" and f.job_id == "a"]
    assert was.found == "that event as version 34 of job 'd'"
    assert {f.job_id for f in verified.findings} == {"a", "d"}
    assert ("changed", N, "d", 34) in verify_job(history, "d").places


def test_a_changed_version_is_found_and_which_it_was(history: Deployment) -> None:
    Database(history).run(
        "UPDATE milepost_events SET originator_version = 900 WHERE notification_id = ?", [N]
    )

    verified = verify(history)

    assert {("changed", N, "a", 900), ("version", N, "a", 34)} <= verified.places
    [was] = [f for f in verified.findings if f.kind == "version" and f.version == 34]
    assert was.found == "that event as version 900 of job 'a'"
    assert {f.job_id for f in verified.findings} == {"a"}


def test_a_changed_position_is_found_and_which_it_was(history: Deployment) -> None:
    Database(history).run(
        "UPDATE milepost_events SET notification_id = ? WHERE notification_id = ?", [IN_GAP, N]
    )

    verified = verify(history)

    assert {
        ("missing", N, "a", 34),
        ("added", IN_GAP, "a", 34),
        ("order", place(103).position, "a", 35),
    } <= verified.places
    assert f"it is at position {IN_GAP} now" in verified.one("missing").found
    assert f"hashed at position {N}" in verified.one("added").found
    assert {f.job_id for f in verified.findings} == {"a"}


def test_a_deleted_event_is_found(history: Deployment) -> None:
    gone = at(history, N)
    Database(history).run("DELETE FROM milepost_events WHERE notification_id = ?", [N])

    verified = verify(history)

    assert verified.places == {("missing", N, None, None), ("version", N, "a", 34)}
    assert gone.leaf.hex() in verified.one("missing").expected
    assert ("version", None, "a", 34) in verify_job(history, "a").places


def test_a_deleted_last_event_of_a_job_is_found(history: Deployment) -> None:
    """The tree shows it, and so does the row, which still has the deleted event."""
    where = place(599)
    Database(history).run("DELETE FROM milepost_events WHERE notification_id = ?", [where.position])

    verified = verify(history)

    assert verified.places >= {
        ("missing", where.position, None, None),
        ("row", place(596).position, "b", 199),
    }
    assert {f.job_id for f in verified.findings} == {None, "b"}
    assert ("row", place(596).position, "b", 199) in verify_job(history, "b").places


def test_verifying_one_job_reports_the_number_of_missing_events_but_not_which(
    history: Deployment,
) -> None:
    """The job's newest event was deleted, so nothing shows which job it belonged to."""
    Database(history).run("DELETE FROM milepost_events WHERE notification_id = ?", [LAST - 1])
    fold_anew(history)

    found = verify_job(history, "b").one("missing")

    assert found.expected == f"600 events up to position {LAST}, as many as were hashed"
    assert found.found.startswith("1 fewer; milepost verify, without --job, says which")
    insert(history, IN_GAP, "new", 1)
    insert(history, IN_GAP + 1, "new", 2)
    assert verify_job(history, "c").one("added").found.startswith("1 more")


def test_events_that_the_tree_has_not_reached_are_not_counted(history: Deployment) -> None:
    append(history, [("b", EACH + 1), ("b", EACH + 2)])

    assert verify_job(history, "b").findings == []


def test_a_deleted_job_is_found(history: Deployment) -> None:
    Database(history).run("DELETE FROM milepost_events WHERE originator_id = 'b'")

    verified = verify(history)

    missing = {("missing", place(number).position, None, None) for number in range(2, 601, 3)}
    assert missing <= verified.places
    assert len(missing) == EACH
    rest = verified.places - missing
    assert rest == {("row", place(599).position, "b", EACH), ("key", None, "b", 1)}
    assert verify_job(history, "b").findings


@pytest.mark.parametrize("other", [200, 301, 598])
def test_two_swapped_events_are_found_and_with_what(history: Deployment, other: int) -> None:
    """Their states are swapped, in one tile and across tiles."""
    database, first, second = Database(history), at(history, N), at(history, other)
    database.run(STATE, [second.state, first.position])
    database.run(STATE, [first.state, second.position])

    verified = verify(history)

    for one, with_ in ((first, second), (second, first)):
        found = verified.one("changed", one.position)
        assert (found.job_id, found.version) == (one.job_id, one.version)
        assert found.expected == f"the state of what is at position {with_.position} now"


def test_two_swapped_positions_are_found_and_with_which(history: Deployment) -> None:
    database, other = Database(history), place(200)
    for new, old in ((0, N), (N, other.position), (other.position, 0)):
        database.run(
            "UPDATE milepost_events SET notification_id = ? WHERE notification_id = ?", [new, old]
        )

    verified = verify(history)

    for one, with_ in ((N, other.position), (other.position, N)):
        found = verified.one("changed", one)
        assert f"what is at position {with_} now" in found.expected
    assert {f.kind for f in verified.findings} >= {"changed", "order"}


def test_two_swapped_versions_are_found(history: Deployment) -> None:
    database = Database(history)
    for new, old in ((-1, 34), (34, 35), (35, -1)):
        database.run(
            "UPDATE milepost_events SET originator_version = ? "
            "WHERE originator_id = 'a' AND originator_version = ?",
            [new, old],
        )

    verified = verify(history)

    assert verified.one("changed", N).expected == "the version of what is at position 103 now"
    assert ("order", N, "a", 35) in verified.places


def insert(made: Deployment, position: int, job_id: str, version: int) -> None:
    """Forge an event."""
    Database(made).run(
        "INSERT INTO milepost_events "
        "(notification_id, originator_id, originator_version, topic, state) "
        "VALUES (?, ?, ?, 'HeartbeatReceived', ?)",
        [position, job_id, version, b'{"recorded_at":"2026-03-02T12:00:00Z"}'],
    )


def test_an_event_that_was_forged_in_a_gap_is_found(history: Deployment) -> None:
    insert(history, IN_GAP, "a", EACH + 1)

    verified = verify(history)

    assert {("added", IN_GAP, "a", EACH + 1), ("order", IN_GAP, "a", EACH + 1)} <= verified.places
    assert ("added", IN_GAP, "a", EACH + 1) in verify_job(history, "a").places


def test_an_event_that_was_forged_before_all_others_is_found(history: Deployment) -> None:
    insert(history, -5, "new", 1)

    assert ("added", -5, "new", 1) in verify(history).places


def test_an_event_that_was_forged_at_the_end_is_outside_the_tree(history: Deployment) -> None:
    """It looks like an appended event. Only an event that fits no history gives a finding."""
    insert(history, LAST + 1, "a", EACH + 1)
    fits = verify(history)
    insert(history, LAST + 2, "a", EACH + 9)
    fits_not = verify(history)

    assert fits.findings == []
    assert fits.summary.events - fits.summary.tree_size == 1
    assert {f.kind for f in fits_not.findings} == {"version"}
    assert {f.version for f in fits_not.findings} == set(range(EACH + 2, EACH + 9))


def test_a_tail_that_was_cut_off_is_found(history: Deployment) -> None:
    signed = checkpoint(history)
    Database(history).run("DELETE FROM milepost_events WHERE notification_id > ?", [LAST - 10])

    verified = verify(history, signed)

    missing = {("missing", LAST - lost, None, None) for lost in range(10)}
    assert missing <= verified.places
    assert "10 events fewer" in verified.one("checkpoint").found
    assert Grower(history.tree).step() == IDLE_SECONDS
    assert missing <= verify(history).places, "the tree does not follow"


def test_a_tail_that_was_cut_off_everywhere_is_found_by_a_checkpoint(history: Deployment) -> None:
    signed = [checkpoint(history, size) for size in (500, 595, 600)]
    Database(history).run("DELETE FROM milepost_events WHERE notification_id > ?", [LAST - 10])
    begin_the_tree_anew(history)
    fold_anew(history)

    assert verify(history).findings == []
    verified = verify(history, *signed)
    assert verified.places == {
        ("checkpoint", LAST - 5, None, None),
        ("checkpoint", LAST, None, None),
    }
    for position, fewer in ((LAST - 5, 5), (LAST, 10)):
        found = verified.one("checkpoint", position).found
        assert f"{fewer} events fewer" in found
        assert "the first 500 events, up to position 505, are as they were" in found


def test_an_edit_with_matching_tree_and_rows_is_found_by_a_checkpoint(
    history: Deployment,
) -> None:
    """Two checkpoints show the events between which the edit was, but not the event."""
    signed = [checkpoint(history, size) for size in (50, 99, 100, 400, 600)]
    Database(history).run(STATE, [flipped(at(history, N).state), N])
    begin_the_tree_anew(history)
    fold_anew(history)

    assert verify(history).findings == []
    verified = verify(history, *signed)
    assert verified.places == {("checkpoint", p, None, None) for p in (100, 405, LAST)}
    for position in (100, 405, LAST):
        found = verified.one("checkpoint", position).found
        assert "the first 99 events, up to position 99, are as they were signed" in found
        assert "the tree does not have what was signed either" in found
    assert {f.kind for f in verify_job(history, "a", *signed).findings} == {"checkpoint"}


def test_a_checkpoint_tells_whether_the_tree_still_has_what_was_signed(
    history: Deployment,
) -> None:
    signed = checkpoint(history)
    Database(history).run(STATE, [flipped(at(history, N).state), N])

    verified = verify(history, signed)

    assert verified.one("changed").position == N
    assert "the tree still has what was signed" in verified.one("checkpoint").found
    by_job = verify_job(history, "a", signed)
    assert {("changed", N, "a", 34), ("checkpoint", N, "a", 34)} <= by_job.places


def test_events_after_a_change_hide_nothing(history: Deployment) -> None:
    Database(history).run(STATE, [flipped(at(history, N).state), N])
    append(history, [("a", version) for version in range(201, 801)])
    settle(history)

    assert verify(history).one("changed").position == N


def test_many_changes_are_all_reported(history: Deployment) -> None:
    """There are more changes than are compared for a guess."""
    Database(history).run("UPDATE milepost_events SET state = ?", [b'{"recorded_at":"?"}'])

    changed = [f.position for f in verify(history).findings if f.kind == "changed"]

    assert sorted(changed) == [place(number).position for number in range(1, 601)]  # type: ignore[type-var]


# The tree


def edit_tile(made: Deployment, column: str, level: int, index: int, at: int, new: bytes) -> None:
    """Write other bytes into a tile."""
    database = Database(made)
    select = f"SELECT {column} FROM milepost_tree WHERE level = ? AND tile = ?"
    [[old]] = database.rows(select, [level, index])
    update = f"UPDATE milepost_tree SET {column} = ? WHERE level = ? AND tile = ?"
    edited = old[:at] + new + old[at + len(new) :]
    database.run(update, [edited, level, index])


def test_an_edited_leaf_is_distinguished_from_an_edited_event(history: Deployment) -> None:
    """The level above shows which of the two was edited."""
    edit_tile(history, "hashes", 0, 1, 10 * 32, b"w" * 32)

    verified = verify(history)

    where = place(256 + 11)
    assert verified.places == {("tile", *where[1:])}
    assert verified.one("tile").found == (b"w" * 32).hex()


def test_an_edited_leaf_of_the_last_tile_is_found(history: Deployment) -> None:
    edit_tile(history, "hashes", 0, 2, 10 * 32, b"w" * 32)

    assert verify(history).places == {("changed", *place(512 + 11)[1:])}


def test_an_edited_inner_tile_is_found(history: Deployment) -> None:
    edit_tile(history, "hashes", 1, 0, 32, b"w" * 32)

    verified = verify(history)

    assert verified.places == {("tile", None, None, None)}
    assert "over leaves 256 to 511, in tile 0 of level 1" in verified.findings[0].expected
    assert verify_job(history, "a").findings


def test_edited_positions_of_a_tile_are_distinguished_from_moved_events(
    history: Deployment,
) -> None:
    index, at_leaf = divmod(GAP_AFTER - 1, 256)
    edit_tile(history, "positions", 0, index, at_leaf * 8, IN_GAP.to_bytes(8))

    verified = verify(history)

    where = place(GAP_AFTER)
    assert ("tile", *where[1:]) in verified.places
    assert f"position {IN_GAP} in its tile" in verified.one("tile", where.position).found


@pytest.mark.parametrize(
    ("statement", "kind", "expected"),
    [
        ("DELETE FROM milepost_tree WHERE level = 0 AND tile = 1", "tile", "leaves 256 to 511"),
        ("DELETE FROM milepost_tree WHERE level = 0 AND tile = 2", "tile", "leaves 512 to 599"),
        ("DELETE FROM milepost_tree WHERE level = 1", "tile", "over leaves 0 to 255"),
        ("UPDATE milepost_tree SET first_position = 7 WHERE tile = 1", "tile", "positions 257"),
        ("UPDATE milepost_tree SET last_position = 7 WHERE tile = 2", "tile", "and 605"),
        ("UPDATE milepost_tree SET positions = hashes WHERE tile = 2", "tile", "growing"),
        ("UPDATE milepost_tree SET hashes = positions WHERE tile = 2", "tile", "leaves 512"),
        ("UPDATE milepost_tree_head SET size = 599", "head", "size 600"),
        ("UPDATE milepost_tree_head SET size = 0, position = 0", "head", "size 600"),
        ("UPDATE milepost_tree_head SET size = 601", "tile", "leaves 512 to 600"),
        ("UPDATE milepost_tree_head SET position = 700", "head", "position 605"),
        ("DELETE FROM milepost_tree_head", "head", "size of the tree"),
    ],
)
def test_an_edited_tree_is_found(
    history: Deployment, statement: str, kind: str, expected: str
) -> None:
    Database(history).run(statement)

    findings = verify(history).findings

    assert any(f.kind == kind and expected in f.expected for f in findings), findings


# Rows and keys


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("UPDATE milepost_instances SET version = 199", "instances"),
        ("UPDATE milepost_instances SET version = 201", "instances version 200"),
        ("UPDATE milepost_instances SET first_position = 7", "instances first_position 2"),
        ("UPDATE milepost_instances SET agent_id = 'x'", "instances agent_id of-b"),
        ("UPDATE milepost_instances SET user_id = NULL", "instances user_id u-b"),
        ("UPDATE milepost_instances SET status = 'failed'", "instances status provisioning"),
        (
            "UPDATE milepost_instances SET current_step = 'x'",
            "instances current_step vm_cre",
        ),
        ("UPDATE milepost_instances SET due_at = NULL", "instances due_at 2026"),
        (
            "UPDATE milepost_instances SET unresponsive_at = NULL",
            "instances unresponsive_at 2026",
        ),
        ("UPDATE milepost_instances SET look_at = NULL", "instances look_at 2026"),
        ("UPDATE milepost_instances SET workflow = 'x'", "instances workflow vm@1"),
        ("UPDATE milepost_machines SET machine = 'x'", "instances machines "),
        ("DELETE FROM milepost_machines", "instances machines "),
        (
            "UPDATE milepost_instances SET document = replace(document, 'vm_created', 'vm_x')",
            "instances document.runs.attempts[0].steps.vm_created",
        ),
        ("UPDATE milepost_instances SET document = '{'", "instances document"),
        (
            "UPDATE milepost_timelines SET document = replace(document, 'run-1', 'run-2')",
            "timelines document.runs.attempts[0].run_id.value run-1",
        ),
        ("UPDATE milepost_timelines SET version = 12", "timelines"),
        ("DELETE FROM milepost_instances", "instances row one"),
        ("DELETE FROM milepost_timelines", "timelines row one"),
    ],
)
def test_an_edited_row_is_found(history: Deployment, statement: str, expected: str) -> None:
    database = Database(history)
    assert database.run(f"{statement} WHERE job_id = 'b'") == 1

    verified = verify(history)

    assert {(f.kind, f.job_id) for f in verified.findings} == {("row", "b")}
    assert any(f.expected.startswith(expected) for f in verified.findings), verified.findings
    assert verify_job(history, "b").places == verified.places
    assert verify_job(history, "a").findings == []


def test_a_machine_that_a_job_does_not_use_is_found(history: Deployment) -> None:
    Database(history).run("INSERT INTO milepost_machines VALUES ('x', 'a')")

    found = verify(history).one("row")

    assert found.job_id == "a"
    assert found.expected.startswith("instances machines ")


def test_a_row_of_an_unknown_job_is_found(history: Deployment) -> None:
    Database(history).run(
        "INSERT INTO milepost_timelines SELECT 'ghost', version, document "
        "FROM milepost_timelines WHERE job_id = 'a'"
    )

    found = verify(history).one("row")

    assert (found.job_id, found.version) == ("ghost", EACH)


def test_an_event_that_can_no_longer_be_read_is_found(history: Deployment) -> None:
    Database(history).run(STATE, [b"{", N])

    verified = verify(history)

    assert {("changed", N, "a", 34), ("unreadable", N, "a", 34)} <= verified.places


def test_a_key_of_an_unknown_event_is_found(history: Deployment) -> None:
    Database(history).run(
        "INSERT INTO milepost_keys (name, job_id, version, digest) VALUES ('k', 'a', 999, '')"
    )

    found = verify(history).one("key")

    assert (found.job_id, found.version) == ("a", 999)
    assert "'k'" in found.expected


def test_a_tree_that_stopped_still_has_the_hashes_of_lost_events(history: Deployment) -> None:
    """The log lost its end and goes on; the tree does not change."""
    Database(history).run("DELETE FROM milepost_events WHERE notification_id = ?", [LAST])
    append(history, [("c", EACH), ("c", EACH + 1)])
    assert Grower(history.tree).step() == IDLE_SECONDS

    assert ("missing", LAST, None, None) in verify(history).places or (
        "changed",
        LAST,
        "c",
        EACH,
    ) in verify(history).places


def test_every_job_of_the_history_can_be_verified_alone(history: Deployment) -> None:
    for job_id in JOBS:
        assert verify_job(history, job_id, checkpoint(history)).findings == []
