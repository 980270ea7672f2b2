"""Signed links as texts: what one opens, for whom, and until when."""

from __future__ import annotations

from datetime import timedelta

import pytest

from api import tokens
from api.errors import InvalidLink, MissingScope, NoLinkSecret
from api.links import Links
from api.tokens import ADMIN, Principal, Scope
from api.tokens.memory import MemoryTokens
from tests.support.stores.deployment import NOON

SECRET, OTHER = "s" * 32, "o" * 32
PATH = "/api/jobs/job-1"
NOW = int(NOON.timestamp())
SOON = NOW + 60


@pytest.fixture
def stored() -> MemoryTokens:
    """The tokens of issuers."""
    return MemoryTokens()


@pytest.fixture
def links() -> Links:
    """The links of a server."""
    return Links([SECRET], "the admin's")


def issuer(stored: MemoryTokens, *scopes: Scope, user_id: str | None = None) -> str:
    return tokens.create(stored, "page", scopes or ("read",), user_id, NOON)[0].id


def opened(
    links: Links, link: str, stored: MemoryTokens, path: str = PATH, later: int = 0
) -> Principal:
    return links.holder(link, path, stored, lambda: NOON + timedelta(seconds=later))


def test_a_link_lets_its_holder_read_as_its_issuer(links: Links, stored: MemoryTokens) -> None:
    token_id = issuer(stored, "read", "write", user_id="ada")

    caller = opened(links, links.make(PATH, token_id, SOON), stored)

    assert (caller.token_id, caller.user_id, caller.until) == (token_id, "ada", SOON)
    assert caller.may("read")
    assert not caller.may("write")


def test_a_link_of_the_admin_token_reads_and_does_no_more(
    links: Links, stored: MemoryTokens
) -> None:
    caller = opened(links, links.make(PATH, ADMIN, SOON), stored)

    assert caller.scopes == {"read"}
    assert not caller.may("admin")


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/api/jobs/job-2",
        "/api/jobs/job-1/",
        "/api/jobs/job-1/stream",
        "//api/jobs/job-1",
        "/api//jobs/job-1",
        "/api/jobs/../jobs/job-1",
        "/api/jobs/JOB-1",
        "/api/jobs/job%2D1",
        "/api/jobs/job-1\n",
        "/api/jobs/job-1?x=1",
        "/api/jobs",
    ],
)
def test_a_link_opens_no_other_path(links: Links, stored: MemoryTokens, path: str) -> None:
    link = links.make(PATH, issuer(stored), SOON)

    with pytest.raises(InvalidLink):
        opened(links, link, stored, path)


def test_a_link_ends_at_its_time(links: Links, stored: MemoryTokens) -> None:
    link = links.make(PATH, issuer(stored), SOON)

    assert opened(links, link, stored, later=59)
    with pytest.raises(InvalidLink):
        opened(links, link, stored, later=60)


def test_a_link_ends_with_the_token_of_its_issuer(links: Links, stored: MemoryTokens) -> None:
    token_id = issuer(stored)
    link = links.make(PATH, token_id, SOON)
    stored.revoke(token_id, "now")

    with pytest.raises(InvalidLink):
        opened(links, link, stored)
    with pytest.raises(InvalidLink):
        opened(links, link, MemoryTokens())


def test_a_link_of_a_token_that_may_not_read_opens_nothing(
    links: Links, stored: MemoryTokens
) -> None:
    link = links.make(PATH, issuer(stored, "write"), SOON)

    with pytest.raises(MissingScope):
        opened(links, link, stored)


@pytest.mark.parametrize("admin_token", ["another admin's", ""])
def test_a_link_of_the_admin_token_ends_with_that(
    links: Links, stored: MemoryTokens, admin_token: str
) -> None:
    link = links.make(PATH, ADMIN, SOON)
    restarted = Links([SECRET], admin_token)

    with pytest.raises(InvalidLink):
        opened(restarted, link, stored)


def test_while_secrets_rotate_links_of_both_count(links: Links, stored: MemoryTokens) -> None:
    token_id = issuer(stored)
    link = links.make(PATH, token_id, SOON)
    rotating = Links([OTHER, SECRET], "the admin's")
    rotated = Links([OTHER], "the admin's")

    assert opened(rotating, link, stored)
    assert opened(rotated, rotating.make(PATH, token_id, SOON), stored)
    with pytest.raises(InvalidLink):
        opened(rotated, link, stored)


def test_no_part_of_a_link_can_be_changed(links: Links, stored: MemoryTokens) -> None:
    link = links.make(PATH, issuer(stored), SOON)
    expires, by, mac = link.split(".")
    other = issuer(stored, user_id="bob")
    changed = [
        f"{int(expires) + 1}.{by}.{mac}",
        f"0{expires}.{by}.{mac}",
        f"+{expires}.{by}.{mac}",
        f"{expires}.{other}.{mac}",
        f"{expires}.{ADMIN}.{mac}",
        f"{expires}.{by}.{mac[:-1]}",
        f"{expires}.{by}.{mac}=",
        f"{expires}.{by}.{mac}A",
        f"{expires}.{by}.{mac}.{mac}",
        f"{expires}..{by}.{mac}",
        f"{expires}\n.{by}.{mac}",
        f" {link}",
        f"{link} ",
        f"{link},{link}",
        link.upper(),
        mac,
        "",
        ".",
        "..",
        f"{expires}.{by}.",
        f"{expires}.{by}.\xe9\ud800",
        "1" * 100_000,
        f"{expires}.{by}.{'A' * 10_000}",
    ]
    for each in changed:
        with pytest.raises(InvalidLink):
            opened(links, each, stored)


def test_an_issuer_cannot_be_moved_into_the_path(links: Links, stored: MemoryTokens) -> None:
    """What is signed is one text, so its parts must not be cut elsewhere."""
    token_id = issuer(stored)
    expires, by, mac = links.make(f"/a\n{PATH}", token_id, SOON).split(".")

    with pytest.raises(InvalidLink):
        opened(links, f"{expires}.{by}\n/a.{mac}", stored)


def test_without_a_secret_there_are_no_links(links: Links, stored: MemoryTokens) -> None:
    without = Links([], "the admin's")

    with pytest.raises(NoLinkSecret):
        without.make(PATH, ADMIN, SOON)
    with pytest.raises(InvalidLink):
        opened(without, links.make(PATH, ADMIN, SOON), stored)
