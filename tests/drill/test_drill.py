"""The drill's shorter form: fixed seeds, every kind of life, and each store."""

from __future__ import annotations

from pathlib import Path

from domain.workflows.definition import Workflows
from tests.drill.model.kinds import KINDS, life_of
from tests.drill.model.senders import SENDERS
from tests.drill.month import Done, done_in
from tests.drill.shifts import Tally, away_in, lives_of, play_on, play_shift
from tests.support.stores.deployment import Deployment


def test_every_claim_holds_for_a_shift_in_memory(workflows: Workflows) -> None:
    tally = play_shift("short", workflows, jobs=300)

    assert tally.violations == []
    assert tally.lives.keys() == KINDS.keys()
    assert tally.weaker["an operator ended an attempt, or opened one"] > 10


def test_every_claim_holds_on_each_store(stores: Deployment) -> None:
    """The read model shows what the oracle saw in the events."""
    lives = lives_of("each store", jobs=30)

    tally = play_on(stores, lives, away_in("each store"))

    assert tally.violations == []
    stores.projector.catch_up()
    counted = stores.reader.counts()
    assert sum(counted.values()) == sum(
        stores.milepost.find(life.job_id).version > 0 for life in lives
    )
    assert counted.get("provisioning", 0) == 0


def test_the_same_seed_gives_the_same_life() -> None:
    assert life_of("short/7", 10) == life_of("short/7", 10)


def test_a_shift_has_every_sender() -> None:
    assert {life.sender for life in lives_of("short")} == {sender.name for sender in SENDERS}


def test_an_interrupted_line_of_progress_is_played_again(tmp_path: Path) -> None:
    file = tmp_path / "progress.jsonl"
    file.write_bytes(b'{"shift":"1.1","tally":{"events":7}}\n{"shift":"1.2","tal')

    assert done_in(file) == [Done("1.1", Tally(events=7))]
