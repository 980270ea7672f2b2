"""All kinds of callers, and jobs of two users, of no user, never registered, and absent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from api.senders.job_keys import job_key
from api.tokens import Scope
from tests.support.stores.deployment import settle
from tests.support.web.site import ADMIN, JOB_KEY_SECRET, SECRET, Site, bearer, sign

UNKNOWN: Final = "mp_0123456789ab_" + "x" * 43


class Thing(NamedTuple):
    """A job with its agent and the machine that only its own answers name.

    All names have one length, so that answers about two things can be equal to the last header.
    """

    word: str
    user: str | None = None
    has_job: bool = True
    has_agent: bool = True

    @property
    def job(self) -> str:
        """The job's id."""
        return f"job-{self.word}"

    @property
    def agent(self) -> str:
        """The agent's id."""
        return f"agent-{self.word}"

    @property
    def machine(self) -> str:
        """The machine's id."""
        return f"machine-{self.word}"


ADAS, BOBS = Thing("ada-7", "ada"), Thing("bob-7", "bob")
NOBODYS = Thing("lone7")
UNREGISTERED = Thing("wild7", has_agent=False)
ABSENT = Thing("void7", has_job=False, has_agent=False)
THINGS: Final = (ADAS, BOBS, NOBODYS, UNREGISTERED, ABSENT)


class Caller(NamedTuple):
    """Who asks: with a token, a cookie, a callback's signature, or with nothing."""

    name: str
    token: str | None = None
    scopes: frozenset[str] = frozenset()
    user: str | None = None
    signs: bool = False
    key_of: Thing | None = None
    """The job whose own key signs, if it is not the shared secret."""
    cookie: str | None = None
    """The cookie of a session that was begun with the token, and is sent in its place."""
    link_to: Callable[[str], str] | None = None
    """Returns a link to a path in the name of the token, which is sent in its place."""

    @property
    def is_known(self) -> bool:
        """Whether the token is one of ours."""
        return bool(self.scopes)

    @property
    def has_signed_in(self) -> bool:
        """Whether its cookie is that of a session."""
        return bool(self.cookie and self.token)

    @property
    def asks_as_a_browser(self) -> bool:
        """Whether it sends neither a token nor a link."""
        return bool(self.cookie) or not (self.token or self.link_to)

    def headers(self, body: bytes) -> dict[str, str]:
        """Return the headers with which it asks."""
        if self.signs:
            key = job_key(JOB_KEY_SECRET, self.key_of.job) if self.key_of else SECRET
            return {"X-Signature": sign(body, key)}
        if self.link_to:
            return {}
        if self.cookie:
            return {"Cookie": self.cookie}
        return bearer(self.token) if self.token else {}

    def in_a_browser(self, site: Site) -> Caller:
        """Return the same caller, after signing in."""
        cookie = site.sign_in(self.token or "")
        return self._replace(name=f"session of {self.name}", cookie=cookie)

    def with_links(self, site: Site) -> Caller:
        """Return who has a link, in the same caller's name, to each path that is asked for."""
        issuer = "admin" if self.token == ADMIN else (self.token or "").split("_")[1]
        until = int(site.clock().timestamp()) + 60

        def link_to(path: str) -> str:
            return site.services.links.make(path, issuer, until)

        return self._replace(
            name=f"link of {self.name}", scopes=frozenset({"read"}), link_to=link_to
        )

    def to_another_path(self) -> Caller:
        """Return who has a link, but not to the path that is asked for."""
        link_to = self.link_to
        assert link_to
        return self._replace(
            name="link to another path",
            scopes=frozenset(),
            link_to=lambda path: link_to(f"{path}/another"),
        )

    def when_asking_by(self, method: str) -> Caller:
        """Return who the caller is to a request: no cookie and no link change anything."""
        only_looks = self.cookie or self.link_to
        return self._replace(scopes=frozenset()) if only_looks and method != "GET" else self

    def address(self, path: str, query: str) -> str:
        """Return the URL with which it asks for a path."""
        if not self.link_to:
            return path + query
        return f"{path}{query or '?'}{'&' if query else ''}link={self.link_to(path)}"

    def may(self, scope: str) -> bool:
        """Tell whether its token grants the scope."""
        return bool(self.scopes & {scope, "admin"})

    def sees(self, thing: Thing, *, agent: bool) -> bool:
        """Tell whether it may see that the job, or the agent, is there."""
        there = thing.has_agent if agent else thing.has_job
        return there and self.user in (None, thing.user)


def callers_of(site: Site, method: str = "GET") -> list[Caller]:
    """Return all kinds of callers, as far as requests of this method are concerned.

    Those who may do least come first.
    """
    bound: list[tuple[str, Scope]] = [
        ("bob", "read"),
        ("bob", "write"),
        ("ada", "read"),
        ("ada", "write"),
    ]
    unbound: list[Scope] = ["read", "write"]
    with_tokens = [
        *(
            Caller(f"{scope} of {user}", site.token(scope, user_id=user), frozenset({scope}), user)
            for user, scope in bound
        ),
        *(Caller(f"{scope} of all", site.token(scope), frozenset({scope})) for scope in unbound),
        Caller("admin", ADMIN, frozenset({"admin"})),
    ]
    callers = [
        Caller("no token"),
        Caller("unknown token", UNKNOWN),
        Caller("unknown cookie", cookie="milepost_session=" + "x" * 43),
        Caller("admin", ADMIN).with_links(site).to_another_path(),
        *(Caller(f"key of {own.job}", signs=True, key_of=own) for own in (ADAS, UNREGISTERED)),
        Caller("signature only", signs=True),
        *with_tokens,
        *(each.in_a_browser(site) for each in with_tokens if each.may("read")),
        *(each.with_links(site) for each in with_tokens if each.may("read")),
    ]
    return [each.when_asking_by(method) for each in callers]


def settled(site: Site) -> None:
    """Let every thing have its history, and the read model and the tree know it."""
    for thing in THINGS:
        if thing.has_agent:
            owner = {"user_id": thing.user} if thing.user else {}
            body = {"job_id": thing.job, "agent_id": thing.agent, **owner}
            assert site.post_job(body).status_code == 201
        if thing.has_job:
            machine = {"server_id": thing.machine, "server_ip": "", "tailscale_ip": ""}
            site.report(thing.job, status="provisioning", step="vm_created")
            site.report(thing.job, status="running", **machine)
    settle(site.deployment)
