"""Settings: the values of the environment, checked and frozen."""

from __future__ import annotations

from ipaddress import ip_address
from itertools import zip_longest
from pathlib import Path
from typing import Final

import msgspec

from api.settings.checks.named_senders import NamedSender
from api.settings.checks.sqlite_file import file_of
from api.settings.postgres_url import parts_of
from domain.evidence.signing_keys import PrivateKey, PublicKey
from domain.log.connections import CONNECTIONS

CONNECTIONS_PER_ADDRESS: Final = 1_024
"""Far more than the honest senders behind one address have: a callback takes milliseconds."""
DRAIN_SECONDS: Final = 2
"""How long a server that is asked to end still takes requests. A balancer needs longer if it asks
`/readyz` less often than once a second."""

PARENT_CONNECTIONS: Final = 2
"""A server's parent projects in one thread; the second replaces one that has died."""
PARENT_SESSIONS: Final = 2
"""The sessions of the parent's locks, beside these: one that projects, and one that rebuilds."""
WORKER_SESSIONS: Final = 1
"""A worker's session beside its connections: it hears of new events while somebody watches."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings. `generated` names the credentials that Milepost made itself.

    `doubts` has a sentence for each variable that probably says something else than was meant.
    """

    home: Path
    database_url: str
    database_connections: int = CONNECTIONS
    callback_secrets: tuple[str, ...] = ()
    takes_shared_secret: bool = True
    dated_signatures: bool = False
    job_key_secrets: tuple[str, ...] = ()
    link_secrets: tuple[str, ...] = ()
    public_url: str = ""
    named_senders: tuple[NamedSender, ...] = ()
    admin_token: str = ""
    checkpoint_keys: tuple[str, ...] = ()
    checkpoint_trusted: tuple[str, ...] = ()
    generated: tuple[str, ...] = ()
    workflows: Path | None = None
    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1
    connections: int | None = None
    connections_per_address: int = CONNECTIONS_PER_ADDRESS
    public_badges: bool = False
    trusted_proxies: tuple[str, ...] = ()
    cors_origins: tuple[str, ...] = ()
    frame_origins: tuple[str, ...] = ("*",)
    path_prefix: str = ""
    grip_control_uris: tuple[str, ...] = ()
    grip_key: bytes = b""
    log_format: str = "text"
    drain_seconds: int = DRAIN_SECONDS
    store: dict[str, str] = {}
    doubts: tuple[str, ...] = ()

    @property
    def database(self) -> str:
        """The kind of database: `sqlite` or `postgresql`."""
        return "sqlite" if self.database_url.startswith("sqlite:") else "postgresql"

    @property
    def most_database_connections(self) -> int:
        """How many connections to the database this server holds at most, with all processes."""
        each_worker = self.database_connections + WORKER_SESSIONS
        # A publisher reads the log, and hears of new events.
        of_publishers = 2 * len(self.grip_control_uris)
        of_parent = PARENT_CONNECTIONS + PARENT_SESSIONS + of_publishers
        return of_parent + self.workers * each_worker

    def of_parent(self) -> Settings:
        """Return the settings of a process with one thread, and publishers, on the database."""
        wanted = PARENT_CONNECTIONS + len(self.grip_control_uris)
        few = min(wanted, self.database_connections)
        return msgspec.structs.replace(self, database_connections=few)

    @property
    def shown_database(self) -> str:
        """The database's URL without its password, for output."""
        if self.database == "sqlite":
            return self.database_url
        parts = parts_of(self.database_url)
        user = f"{parts['user']}@" if parts.get("user") else ""
        host, dbname = str(parts.get("host") or ""), parts.get("dbname") or ""
        if host.startswith("/"):  # a Unix socket
            return f"postgresql://{user}/{dbname}?host={host}"
        ports = f"{parts.get('port') or ''}".split(",")
        pairs = zip_longest(host.split(","), ports, fillvalue="")
        hosts = ",".join(f"{each}:{port}" if port else each for each, port in pairs)
        return f"postgresql://{user}{hosts}/{dbname}"

    @property
    def url(self) -> str:
        """The URL at which `milepost serve` listens."""
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    @property
    def lasting_database(self) -> str:
        """What tells this database from others in the same home, without a password.

        It is the same from whichever folder a process is started.
        """
        if self.database == "sqlite":
            return str(self.sqlite_file.resolve())
        parts = parts_of(self.database_url)
        # With these, one server has several databases, or several schemas of one.
        others = [f"{name}={parts[name]}" for name in ("service", "options") if parts.get(name)]
        return " ".join([self.shown_database, *others])

    def __repr__(self) -> str:
        """Show the server's address, and no secret."""
        where = f"{self.host}:{self.port} workers={self.workers}"
        return f"<Settings {self.home} {self.shown_database} {where}>"

    @property
    def signers(self) -> list[PrivateKey]:
        """The keys that sign checkpoints."""
        return [PrivateKey.parse(key) for key in self.checkpoint_keys]

    @property
    def trusted(self) -> list[PublicKey]:
        """The keys whose checkpoints are trusted: Milepost's own keys and the configured ones."""
        named = [PublicKey.parse(key) for key in self.checkpoint_trusted]
        return [*(key.public for key in self.signers), *named]

    @property
    def sqlite_file(self) -> Path:
        """The path in `sqlite:////absolute`, without symbolic links."""
        return file_of(self.database_url)


def is_loopback(host: str) -> bool:
    """Tell whether a host is an address of this machine that no other machine reaches."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
