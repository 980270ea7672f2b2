"""Sessions are remembered for seconds: no statement per request, and when signing out counts."""

from __future__ import annotations

from datetime import timedelta

import pytest

from api.sessions import Session, begin
from api.sessions.memory import MemorySessions
from api.sessions.remembered import (
    MAX_REMEMBERED,
    NOTED_SECONDS,
    REMEMBERED_SECONDS,
    RememberedSessions,
)
from tests.support.projectors.at_once import AtOnce
from tests.support.projectors.seconds import Seconds
from tests.support.stores.deployment import NOON


class Process:
    """One of several processes over the same sessions."""

    def __init__(self, stored: MemorySessions) -> None:
        self.seconds = Seconds()
        self.sessions = RememberedSessions(stored, self.seconds, AtOnce())


@pytest.fixture
def stored() -> MemorySessions:
    """What all processes share."""
    return MemorySessions()


@pytest.fixture
def here(stored: MemorySessions) -> Process:
    """The process that is asked."""
    return Process(stored)


def begun(stored: MemorySessions) -> Session:
    session, _ = begin(stored, "0123456789ab", NOON)
    return session


def test_a_session_ended_elsewhere_works_for_five_seconds_more_and_no_longer(
    stored: MemorySessions, here: Process
) -> None:
    session = begun(stored)
    assert here.sessions.find(session.hash)
    stored.end(session.hash)

    here.seconds.now = REMEMBERED_SECONDS - 0.1
    assert here.sessions.find(session.hash)
    here.seconds.now = REMEMBERED_SECONDS
    assert here.sessions.find(session.hash) is None


def test_a_session_ended_here_is_gone_at_once(stored: MemorySessions, here: Process) -> None:
    session = begun(stored)
    assert here.sessions.find(session.hash)

    here.sessions.end(session.hash)

    assert here.sessions.find(session.hash) is None
    assert here.sessions.recognised(session.hash) is None


def test_a_session_is_recognised_until_it_is_found_to_have_ended(
    stored: MemorySessions, here: Process
) -> None:
    session = begun(stored)
    assert here.sessions.recognised(session.hash) is None
    here.sessions.find(session.hash)
    stored.end(session.hash)
    here.seconds.now = REMEMBERED_SECONDS + 1

    assert here.sessions.recognised(session.hash)
    here.sessions.find(session.hash)
    assert here.sessions.recognised(session.hash) is None


def test_unknown_sessions_are_not_remembered(stored: MemorySessions, here: Process) -> None:
    assert here.sessions.find("guessed") is None
    assert here.sessions.remembered("guessed") is None


def test_no_more_than_so_many_are_remembered(stored: MemorySessions, here: Process) -> None:
    for number in range(MAX_REMEMBERED + 1):
        session = Session(str(number), "0123456789ab", "", "", "")
        stored._sessions[session.hash] = session
        here.sessions.find(session.hash)

    assert here.sessions.remembered("0") is None
    assert here.sessions.remembered(str(MAX_REMEMBERED))


def test_a_use_is_noted_once_an_hour(stored: MemorySessions, here: Process) -> None:
    session = begun(stored)

    def noted_after(seconds: float) -> str:
        here.seconds.now = seconds
        found = here.sessions.find(session.hash)
        assert found
        here.sessions.seen(found, NOON + timedelta(seconds=seconds))
        now = stored.find(session.hash)
        assert now
        return now.seen_at

    assert noted_after(10) == session.seen_at
    assert noted_after(NOTED_SECONDS) == session.seen_at
    assert noted_after(NOTED_SECONDS + 11) == "2026-03-02T13:00:11+00:00"
    assert noted_after(NOTED_SECONDS + 20) == "2026-03-02T13:00:11+00:00"


def test_a_token_with_many_sessions_pushes_out_no_session_of_another(
    stored: MemorySessions, here: Process
) -> None:
    """Else its holder lets everybody who has signed in wait among strangers."""
    other, _ = begin(stored, "ba9876543210", NOON)
    here.sessions.find(other.hash)

    for number in range(MAX_REMEMBERED):
        session = Session(str(number), "0123456789ab", "", "", "")
        stored._sessions[session.hash] = session
        here.sessions.find(session.hash)

    assert here.sessions.recognised(other.hash) == other
