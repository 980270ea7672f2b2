"""tokens: when a token ends, and when it was last used."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from api.tokens import stored_time
from tests.support.people.shell import Shell
from tests.support.stores.deployment import NOON
from tests.support.web.site import Site


@pytest.mark.parametrize(
    ("given", "expires_at"),
    [
        ("90d", NOON + timedelta(days=90)),
        ("12h", NOON + timedelta(hours=12)),
        ("2999-12-31", datetime(2999, 12, 31, tzinfo=UTC)),
        ("2999-12-31T23:00:00+01:00", datetime(2999, 12, 31, 22, tzinfo=UTC)),
    ],
)
def test_the_command_takes_a_duration_or_a_date(
    shell: Shell, database_site: Site, given: str, expires_at: datetime
) -> None:
    before = datetime.now(UTC)
    made = shell.json("tokens", "create", "page", "--expires", given)
    if given[-1] in "dh":
        expires_at += before - NOON

    end = datetime.fromisoformat(made["expires_at"])
    assert abs(end - expires_at) < timedelta(minutes=5)
    [listed] = shell.lines("tokens", "list")
    assert (
        listed["expires_at"]
        == made["expires_at"]
        == database_site.services.tokens.all()[0].expires_at
    )
    assert made["expires_at"][:10] in shell("tokens", "list")


@pytest.mark.parametrize("given", ["0d", "2020-01-01", "90", "d", "-1d", "9" * 9 + "d", "soon", ""])
def test_a_lifetime_that_is_none_is_refused(empty: Shell, given: str) -> None:
    empty("init-db")

    result = empty.run("tokens", "create", "page", "--expires", given)

    assert result.exit_code == 2
    assert "--expires" in result.stderr


def test_the_last_use_is_shown(shell: Shell, database_site: Site) -> None:
    token = database_site.token("read")
    [unused] = shell.lines("tokens", "list")
    assert unused["last_used_at"] is None

    database_site.get("/api/jobs", token)

    [used] = shell.lines("tokens", "list")
    assert used["last_used_at"] == stored_time(NOON)
    assert used["last_used_at"][:10] in shell("tokens", "list")
