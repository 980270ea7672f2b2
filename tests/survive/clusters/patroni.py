"""A cluster of three members that Patroni and etcd look after."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple
from urllib.error import HTTPError
from urllib.request import urlopen

import psycopg

from tests.survive import page
from tests.survive.clusters.etcd import Etcd
from tests.survive.clusters.member import Member
from tests.survive.waiting import PATIENCE_SECONDS, until

NAMES = ("db1", "db2", "db3")
RUNS = ("running", "streaming")
"""What Patroni calls a member that runs, and a standby that follows."""


class Roles(NamedTuple):
    """Who is what: the leader, its synchronous standby, and how many members run."""

    leader: str = ""
    synchronous: str = ""
    running: int = 0


class Cluster:
    """Three members, and one etcd, which keeps what they agree on."""

    def __init__(self) -> None:
        # A short path: a socket's may have 107 characters.
        self._home = Path(tempfile.mkdtemp(prefix="mp-ha-", dir="/tmp"))
        self._home.chmod(0o755)
        self._etcd = Etcd(self._home / "etcd")
        self._members = {
            name: Member(name, self._home / name, self._etcd.address) for name in NAMES
        }

    def start(self) -> Cluster:
        """Start everything, and make the role and the database as the page says."""
        self._etcd.start()
        for member in self._members.values():
            member.start()
        leader = self._members[self.until_whole().leader]
        url = f"postgresql://postgres:SUPERUSER-PASSWORD@127.0.0.1:{leader.port}/postgres"
        with psycopg.connect(url, autocommit=True) as operator:
            page.make_database(operator)
        return self

    def remove(self) -> None:
        """End every process, and delete everything."""
        with ExitStack() as stack:
            stack.callback(shutil.rmtree, self._home)
            stack.callback(self._etcd.kill)
            for member in self._members.values():
                stack.callback(member.kill)

    @property
    def addresses(self) -> Mapping[str, str]:
        """What the page calls the members, and where they are here."""
        members = self._members.values()
        return {f"{each.name}:5432": f"127.0.0.1:{each.port}" for each in members}

    def until_whole(self) -> Roles:
        """Wait until all members run, and one of them is the synchronous standby."""
        roles = Roles()

        def is_whole() -> bool:
            nonlocal roles
            roles = self.roles()
            return bool(roles.leader and roles.synchronous) and roles.running == len(NAMES)

        self._until(is_whole, "the cluster is not whole")
        return roles

    def kill_leader(self) -> str:
        """Kill the leader of a whole cluster; return its name once another member leads."""
        dead = self.until_whole().leader
        self._members[dead].kill()
        self._until(lambda: self.roles().leader not in ("", dead), "nobody is promoted")
        return dead

    def start_again(self, name: str) -> None:
        """Start a member that was killed."""
        self._members[name].start()

    def switch_over(self) -> None:
        """Let the leader and its synchronous standby change places, as an operator asks."""
        roles = self.until_whole()
        asked = {"leader": roles.leader, "candidate": roles.synchronous}
        url = f"http://127.0.0.1:{self._members[roles.leader].rest}/switchover"
        try:
            _ask(url, json.dumps(asked).encode())
        except HTTPError as error:
            # Patroni waits for the result, but for 15 s at most.
            if error.code != HTTPStatus.SERVICE_UNAVAILABLE:
                raise AssertionError(error.read()) from error
        self._until(lambda: self.roles().leader == roles.synchronous, "there is no switchover")

    def roles(self) -> Roles:
        """Return who is what, as the first member says that answers."""
        for member in self._members.values():
            with suppress(OSError):
                said = _ask(f"http://127.0.0.1:{member.rest}/cluster")
                return _roles(json.loads(said)["members"])
        return Roles()

    def _until(self, condition: Callable[[], bool], complaint: str) -> None:
        try:
            until(condition, complaint)
        except AssertionError as error:
            said = "\n\n".join(member.last_words() for member in self._members.values())
            raise AssertionError(f"{complaint}: {self.roles()}\n{said}") from error


def _roles(members: Sequence[Mapping[str, Any]]) -> Roles:
    running = [each for each in members if each["state"] in RUNS]
    by_role = {each["role"]: each["name"] for each in running}
    return Roles(by_role.get("leader", ""), by_role.get("sync_standby", ""), len(running))


def _ask(url: str, body: bytes | None = None) -> bytes:
    with urlopen(url, body, timeout=PATIENCE_SECONDS) as answer:  # noqa: S310  of this machine
        said: bytes = answer.read()
        return said
