"""Tokens are remembered for seconds: no statement per request, and what revoking means then."""

from __future__ import annotations

import pytest

from api.errors import InvalidToken
from api.tokens import authenticate, create
from api.tokens.memory import MemoryTokens
from api.tokens.remembered import MAX_REMEMBERED, REMEMBERED_SECONDS, RememberedTokens
from tests.support.projectors.seconds import Seconds
from tests.support.stores.deployment import NOON


class Process:
    """One of several processes over the same tokens."""

    def __init__(self, kept: MemoryTokens) -> None:
        self.seconds = Seconds()
        self.tokens = RememberedTokens(kept, self.seconds)

    def opens(self, token: str) -> bool:
        """Tell whether the token is taken."""
        try:
            authenticate(token, self.tokens, "the admin's", lambda: NOON)
        except InvalidToken:
            return False
        return True


@pytest.fixture
def kept() -> MemoryTokens:
    """What all processes share."""
    return MemoryTokens()


@pytest.fixture
def here(kept: MemoryTokens) -> Process:
    """The process that is asked."""
    return Process(kept)


def made(kept: MemoryTokens, name: str = "page") -> tuple[str, str]:
    token, text = create(kept, name, ["read"], None, NOON)
    return token.id, text


def test_a_token_revoked_elsewhere_works_for_five_seconds_more_and_no_longer(
    kept: MemoryTokens, here: Process
) -> None:
    token_id, token = made(kept)
    assert here.opens(token)
    kept.revoke(token_id, "now")

    here.seconds.now = REMEMBERED_SECONDS - 0.1
    assert here.opens(token)
    here.seconds.now = REMEMBERED_SECONDS
    assert not here.opens(token)


def test_using_a_token_does_not_prolong_its_grace(kept: MemoryTokens, here: Process) -> None:
    token_id, token = made(kept)
    here.opens(token)
    kept.revoke(token_id, "now")

    for second in range(int(REMEMBERED_SECONDS)):
        here.seconds.now = second
        assert here.opens(token)

    here.seconds.now = REMEMBERED_SECONDS
    assert not here.opens(token)


def test_a_token_revoked_here_is_refused_at_once(kept: MemoryTokens, here: Process) -> None:
    token_id, token = made(kept)
    assert here.opens(token)

    assert here.tokens.revoke(token_id, "now")

    assert not here.opens(token)


def test_a_wrong_secret_of_a_remembered_token_is_refused(kept: MemoryTokens, here: Process) -> None:
    _, token = made(kept)
    assert here.opens(token)

    assert not here.opens(token[:-1])


def test_a_token_that_was_not_there_is_found_once_it_is_made(
    kept: MemoryTokens, here: Process
) -> None:
    elsewhere = MemoryTokens()
    _, token = made(elsewhere)
    assert not here.opens(token)

    kept.add(elsewhere.all()[0])

    assert here.opens(token)


def test_no_more_than_so_many_are_remembered(kept: MemoryTokens, here: Process) -> None:
    ids = [made(kept, f"page {number}")[0] for number in range(MAX_REMEMBERED + 1)]
    for token_id in ids:
        here.tokens.find(token_id)
        kept.revoke(token_id, "now")

    still = [token_id for token_id in ids if not found_revoked(here, token_id)]

    assert still == ids[1:]


def found_revoked(here: Process, token_id: str) -> bool:
    found = here.tokens.find(token_id)
    return found is not None and found.revoked_at is not None


def test_a_token_is_recognised_until_it_is_found_to_be_revoked(
    kept: MemoryTokens, here: Process
) -> None:
    token_id, token = made(kept)
    assert here.tokens.recognised(token_id) is None
    assert here.opens(token)
    kept.revoke(token_id, "2026-03-02T14:03:00+00:00")
    here.seconds.now += REMEMBERED_SECONDS + 1

    assert here.tokens.recognised(token_id)
    assert not here.opens(token)
    assert here.tokens.recognised(token_id) is None
