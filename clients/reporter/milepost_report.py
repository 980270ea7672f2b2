#!/usr/bin/env python3
"""Report to Milepost how a provisioning job goes, and never stand in the job's way.

    milepost-report status provisioning                   the run has begun
    milepost-report step vm_created --server-id srv-1     it has reached a step
    milepost-report run --step ansible_started -- make    run a command, with heartbeats
    milepost-report status running                        it has ended: running, failed, cancelled

A call takes at most a second of the job's time, and its exit status is 0 whatever becomes of the
callback; `run` ends as its command ends. What cannot be sent waits on disk for the next call.

Environment:
    MILEPOST_CALLBACK_URL       callback_url, as the registration of the job returned it
    MILEPOST_CALLBACK_KEY       callback_key of the same answer, or a secret for several jobs;
    MILEPOST_CALLBACK_KEY_FILE  or a file that has it
    MILEPOST_JOB_ID             the job, if the URL does not name it
    MILEPOST_RUN_ID             the run and its attempt; by default those of GitHub Actions,
    MILEPOST_RUN_ATTEMPT        GitLab, Jenkins, Buildkite, CircleCI, Azure or Bitbucket
    MILEPOST_WAIT               seconds that a call may take to deliver, by default 1
    MILEPOST_SPOOL              the folder of what waits, by default ~/.local/state/milepost-report
"""

# One file that needs nothing but Python 3.8, so that a runner can have it by copying.

from __future__ import annotations

import sys

if __name__ == "__main__" and not (sys.flags.isolated or getattr(sys.flags, "safe_path", False)):
    # Python puts the folder of a program before its own modules. That folder is the root of a
    # repository, where a queue.py would be taken for Python's.
    del sys.path[0]

import argparse
import base64
import binascii
import contextlib
import errno
import fcntl
import hashlib
import hmac
import http.client
import io
import json
import os
import queue
import re
import resource
import select
import shutil
import signal
import socket
import stat
import threading
import time
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import (
    Any,
    Callable,
    Mapping,
    NamedTuple,
    NoReturn,
    Sequence,
)
from urllib.parse import SplitResult, unquote, urlsplit

VERSION = "0.1.0"

WAIT_SECONDS = 1.0
"""How much of the job's time a call may take."""
FLUSH_SECONDS = 10.0
STARTUP_SECONDS = 0.2
"""How long Python takes to load this file; that is the job's time, too."""
EXCHANGE_SECONDS = 10.0
"""How long one callback may take beside a command that runs."""
SAY_SECONDS = 0.1
SIGNAL_SECONDS = 0.1
"""How long after one process of a group the kernel may reach the next one with a signal. Beside
other work it takes microseconds; a signal to us alone is passed on so much later."""
URGED_SECONDS = 0.1
"""How soon a signal is noticed while we wait for the server."""
HEARTBEAT_SECONDS = 60.0
CLOCK_SECONDS = 30
"""A smaller difference from the server's clock explains no refusal."""
UNPROVEN_SECONDS = 24 * 3600
"""How far a server without TLS may correct our clock, which may be in another time zone. On the
network, an attacker can pose as that server, and keep what is signed for next year until then."""

MAX_WORDS = 500
MAX_BYTES = 8 * 1024 * 1024
FORGOTTEN_SECONDS = 7 * 24 * 3600
"""After so long without a new word, what waits for a job is removed."""
MAX_ANSWER = 64 * 1024
MAX_ERROR = 60_000
PIPE_BUF = 4096
"""A pipe that can be written to takes so many bytes without waiting."""
MAX_TAIL = 8 * 1024
"""How many bytes of a failed command's stderr are reported."""

RUNS = (
    ("MILEPOST_RUN_ID", "MILEPOST_RUN_ATTEMPT"),
    ("GITHUB_RUN_ID", "GITHUB_RUN_ATTEMPT"),
    ("CI_PIPELINE_ID", None),
    ("BUILDKITE_BUILD_ID", None),
    ("CIRCLE_WORKFLOW_ID", None),
    ("BITBUCKET_PIPELINE_UUID", None),
    ("BUILD_TAG", None),
    ("BUILD_BUILDID", None),
)
"""What names a run and its attempt. A count of one CI job's retries numbers no attempts."""
STATUSES = {
    **{each: each for each in ("provisioning", "running", "failed", "cancelled", "stopped")},
    # ${{ job.status }} of GitHub and CI_JOB_STATUS of GitLab.
    "success": "running",
    "failure": "failed",
    "canceled": "cancelled",
}
NO_ANSWER = "no answer in time"
NEVER = (400, 409, 411, 413, 414, 415, 422, 431)
"""Answers that stay the same however often the same callback is sent."""
WITH_VALUE = (
    "--wait",
    "--error",
    "--failed-step",
    "--step",
    "--done",
    "--server-id",
    "--server-ip",
    "--tailscale-ip",
)
"""The options that take a value."""
PASSED_ON = (
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTERM,
    signal.SIGUSR1,
    signal.SIGUSR2,
)
IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)
ENDING = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)
OPEN = stat.S_IWOTH | stat.S_ISVTX
"""In a folder that all can write to, only the sticky bit keeps others from renaming ours."""
FOLDER = re.compile("[0-9a-f]{24}")
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f]")
ORDERS = re.compile("#(?=#)")
"""Runners of Azure, GitHub and TeamCity obey what follows ## in a log, anywhere in a line. Ours
have what a server says, and that must set no variable and no path of the job."""
COLOURS = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)")


class Unusable(Exception):
    """A setting or an argument with which nothing can be reported."""


class Undelivered(Exception):
    """The callback was not taken now; it may be later."""


class Refused(Exception):
    """The callback is never taken."""


# What is said, and to whom


class Target(NamedTuple):
    """Where callbacks go, who signs them, and whose they are."""

    url: SplitResult
    key: str
    signing_key: bytes
    job_id: str | None
    run_id: str | None
    run_attempt: str | None

    @property
    def name(self) -> str:
        """The name of the spool's folder: what waits for one job is not sent for another."""
        named = f"{self.url.geturl()}\n{self.job_id}"
        return hashlib.sha256(named.encode("utf-8", "replace")).hexdigest()[:24]


class Word(NamedTuple):
    """One callback: the id of its delivery and its bytes, the same however often it is sent."""

    id: str
    body: bytes
    is_kept: bool = True


def target_of(environ: Mapping[str, str]) -> Target:
    """Return the target that the environment names; raise `Unusable`."""
    given = environ.get("MILEPOST_CALLBACK_URL", "").strip()
    if not given:
        raise Unusable("set MILEPOST_CALLBACK_URL to the callback_url of the job's registration")
    try:
        url = urlsplit(given)
        url.port  # noqa: B018  it raises for a port that is none
        (url.hostname or "").encode("idna")
    except ValueError as error:
        raise Unusable(f"MILEPOST_CALLBACK_URL is no URL: {error}") from None
    if url.scheme not in ("http", "https") or not url.hostname or not given.isprintable():
        raise Unusable("MILEPOST_CALLBACK_URL is no URL that begins with https:// or http://")
    if " " in given or "@" in url.netloc or not given.isascii():
        raise Unusable("MILEPOST_CALLBACK_URL has a space, a password or a character beyond ASCII")
    key = _key(environ)
    job_id = environ.get("MILEPOST_JOB_ID", "").strip() or _job_in(url)
    if not job_id:
        raise Unusable("set MILEPOST_JOB_ID: MILEPOST_CALLBACK_URL names no job")
    run_id, run_attempt = _run(environ)
    return Target(url, key, _signing_key(key), job_id, run_id, run_attempt)


def _key(environ: Mapping[str, str]) -> str:
    key = environ.get("MILEPOST_CALLBACK_KEY", "").strip()
    file = environ.get("MILEPOST_CALLBACK_KEY_FILE", "")
    if not key and file:
        try:
            key = Path(file).read_text(encoding="utf-8-sig").strip()
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or "no text"
            raise Unusable(f"MILEPOST_CALLBACK_KEY_FILE cannot be read: {why}") from None
    if not key:
        raise Unusable("set MILEPOST_CALLBACK_KEY to the callback_key of the job's registration")
    return key


def _signing_key(key: str) -> bytes:
    if key[1:].startswith("whsec_"):
        raise Unusable("MILEPOST_CALLBACK_KEY begins with a quotation mark, which is no part of it")
    if not key.startswith("whsec_"):
        return os.fsencode(key)
    try:
        return base64.b64decode(key[len("whsec_") :], validate=True)
    except (binascii.Error, ValueError):
        raise Unusable("MILEPOST_CALLBACK_KEY is cut: base64 must follow whsec_") from None


def _job_in(url: SplitResult) -> str | None:
    _, found, quoted = url.path.partition("/api/callbacks/")
    return unquote(quoted) if found else None


def _run(environ: Mapping[str, str]) -> tuple[str | None, str | None]:
    for run, attempt in RUNS:
        if run_id := environ.get(run, "").strip():
            return run_id, environ.get(attempt or "", "").strip() or None
    return None, None


def word_of(
    target: Target,
    fields: Mapping[str, Any],
    clock: Callable[[], float] = time.time,
    *,
    is_kept: bool = True,
) -> Word:
    """Return the callback that says this now.

    Every call says something of its own, also where a workflow repeats itself or is run again, so
    its id ends at random. The spool keeps the id: only a delivery can be repeated.
    """
    body = {
        "job_id": target.job_id,
        **fields,
        "workflow_run_id": target.run_id,
        "run_attempt": target.run_attempt,
        "occurred_at": datetime.fromtimestamp(clock(), timezone.utc).isoformat(),
    }
    body = {
        name: _clean(value, target.key) for name, value in body.items() if value not in (None, "")
    }
    if "error" in body:  # cut when it is clean, because a part of the key would not be found
        body["error"] = body["error"][-MAX_ERROR:]
    said = fields.get("step") or fields.get("status") or fields.get("type") or ""
    parts = [target.run_id, target.run_attempt, said, os.urandom(8).hex()]
    named = "-".join(re.sub(r"[^A-Za-z0-9_.:]+", "_", part)[:50] for part in parts if part)
    return Word(named, json.dumps(body).encode(), is_kept)


def _clean(value: Any, key: str) -> Any:
    """Return a value without the key, and without what is no UTF-8."""
    if isinstance(value, dict):
        return {_clean(name, key): _clean(each, key) for name, each in value.items()}
    text = str(value).encode("utf-8", "replace").decode()
    for secret in (key, key[len("whsec_") :] if key.startswith("whsec_") else key):
        text = text.replace(secret, "***")
    return text


# What waits on disk


class Kept:
    """A word, and its file if there is one; while that is open, no other process sends the word."""

    def __init__(self, word: Word, path: Path | None = None, file: Any = None) -> None:
        self.word, self._path, self._file = word, path, file

    @property
    def fate(self) -> str:
        """What becomes of the word if it is not taken now."""
        if not self.word.is_kept:
            return "a heartbeat is lost"
        if not self._path:
            return "it is lost unless sent again"
        return "it waits on disk; the next call or flush sends it"

    def remove(self) -> None:
        """Forget the word: it was taken, or never will be."""
        if self._path:
            with contextlib.suppress(OSError):
                self._path.unlink()
        self.release()

    def release(self) -> None:
        """Leave the word to other processes."""
        if self._file:
            self._file.close()


class Spool:
    """Words that wait to be sent: a file each, in one private folder for each URL and job.

    A file has no key. It is locked while somebody sends it, and a lock ends with its process.
    """

    def __init__(self, root: Path, name: str, clock: Callable[[], float] = time.time) -> None:
        self.root, self.folder, self._clock = root, root / name, clock

    def put(self, word: Word) -> tuple[str, Kept]:
        """Keep a word, locked; return its name. Raise `OSError` if the disk does not take it."""
        _make_own(self.folder)
        self._check_private()
        name = f"{int(self._clock() * 1e6):020d}-{os.getpid()}-{os.urandom(4).hex()}"
        path = self.folder / f"{name}.tmp"
        # It stays open, because the lock is the file's.
        file = open(path, "xb", 0, opener=_privately)  # noqa: SIM115
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            # A full disk may take a part first, and refuse the next one.
            left = json.dumps({"id": word.id, "body": word.body.decode()}).encode()
            while left:
                left = left[file.write(left) :]
            path.rename(self.folder / name)
        except OSError:
            file.close()
            with contextlib.suppress(OSError):
                path.unlink()
            raise
        with contextlib.suppress(OSError):
            self._stay_small()
        return name, Kept(word, self.folder / name, file)

    def names(self) -> list[str]:
        """Return the names of all words, the oldest first; none where others could leave some."""
        try:
            self._check_private()
            names = [path.name for path in self.folder.iterdir()]
        except OSError:
            return []
        return sorted(name for name in names if not name.endswith(".tmp"))

    def take(self, name: str) -> Kept | None:
        """Return a word, locked; None if it is gone, or if another process sends it."""
        path = self.folder / name
        try:
            file = path.open("rb")
        except OSError:
            return None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Whoever had the lock before may have sent the word, and removed its file.
            if path.stat().st_ino == os.fstat(file.fileno()).st_ino:
                fields = json.loads(file.read())
                return Kept(Word(str(fields["id"]), fields["body"].encode()), path, file)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            pass  # another process sends it, or it is no file of ours
        file.close()
        return None

    def _check_private(self) -> None:
        """Raise `OSError` if another account could read words here, or leave some to be signed.

        Whoever can rename the folder could put another one in its place.
        """
        root, folder, mine = self.root.stat(), self.folder.lstat(), os.getuid()
        is_safe = root.st_uid in (0, mine) and root.st_mode & OPEN != stat.S_IWOTH
        is_private = folder.st_uid == mine and not folder.st_mode & 0o077
        if not (stat.S_ISDIR(folder.st_mode) and is_safe and is_private):
            raise OSError(f"{self.folder} is not a folder of this account alone")

    def _stay_small(self) -> None:
        """Drop the oldest words above the bounds, and the folders of jobs that are long over."""
        size = 0
        for number, name in enumerate(reversed(self.names())):
            size += (self.folder / name).stat().st_size
            if number >= MAX_WORDS or size > MAX_BYTES:
                (self.folder / name).unlink()
        for folder in self.root.iterdir():
            is_ours = FOLDER.fullmatch(folder.name)
            if is_ours and folder.stat().st_mtime < self._clock() - FORGOTTEN_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)


def spool_root(environ: Mapping[str, str]) -> Path:
    """Return the folder of all spools."""
    if given := environ.get("MILEPOST_SPOOL"):
        return Path(given)
    for base, below in (("XDG_STATE_HOME", ""), ("HOME", ".local/state")):
        given = environ.get(base, "")
        # A home that is not there, such as /nonexistent, is not to be made.
        is_usable = base != "HOME" or os.access(given, os.F_OK)
        if given.startswith("/") and is_usable and _may_be_written(Path(given, below)):
            return Path(given, below, "milepost-report")
    # As for cloud-init, and for an account without a name in a container, whose home is `/`.
    # Python's `tempfile` would write to each folder, and raise if all are full.
    return Path(environ.get("TMPDIR") or "/tmp", f"milepost-report-{os.getuid()}")  # noqa: S108


def _may_be_written(folder: Path) -> bool:
    """Tell whether this account may write to a folder, or make it."""
    there = next(each for each in (folder, *folder.parents) if os.access(each, os.F_OK))
    return os.access(there, os.W_OK | os.X_OK)


def _make_own(folder: Path) -> None:
    """Make a folder and those above it for this account alone, whatever the umask takes away."""
    if not folder.parent.exists():
        _make_own(folder.parent)
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
        if folder.lstat().st_mode & 0o700 == 0o700:
            return
        if os.geteuid():
            folder.chmod(0o700)
            return
        # The owner of the folder above could have put a link there meanwhile.
        there = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            os.fchmod(there, 0o700)
        finally:
            os.close(there)


def _privately(path: str, flags: int) -> int:
    file = os.open(path, flags, 0o600)
    if os.fstat(file).st_mode & 0o600 != 0o600:  # the umask took them away
        os.fchmod(file, 0o600)
    return file


# How it is sent


class _Dripping(io.RawIOBase):
    """Reads a socket until one deadline, also if the peer sends a byte a second."""

    def __init__(self, sock: socket.socket, patience: Callable[[], float]) -> None:
        self._sock, self._patience = sock, patience
        self._raw: Any = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> Any:
        self._sock.settimeout(self._patience())
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Until:
    """A socket whose operations all end by `deadline`."""

    def __init__(self, sock: socket.socket, patience: Callable[[], float]) -> None:
        self._sock, self._patience = sock, patience

    def sendall(self, octets: Any) -> None:
        self._sock.settimeout(self._patience())
        self._sock.sendall(octets)

    def makefile(self, mode: str) -> Any:
        return io.BufferedReader(_Dripping(self._sock, self._patience))

    def close(self) -> None:
        self._sock.close()


class Wire:
    """Posts words, signed by Standard Webhooks, over one connection."""

    def __init__(self, target: Target, clock: Callable[[], float] = time.time) -> None:
        self._target, self._clock = target, clock
        self._connection: http.client.HTTPConnection | None = None
        self._deadline = 0.0
        self._path = ""
        self._for_proxy: dict[str, str] = {}
        self._through = ""
        """Which proxy is asked, in words: a fault may be the proxy's, or of who set it."""
        self.ahead = 0.0
        """How many seconds the server's clock is ahead of ours, if that made it refuse."""

    def post(self, word: Word, deadline: float, **headers: str) -> str:
        """Send a word by a moment of the monotonic clock; return what Milepost warns of.

        Raises `Undelivered` and `Refused`. A 401 may be a wrong clock, which is corrected once.
        """
        self._deadline = deadline
        try:
            status, answer, date = self._exchange(word, headers)
            if status == 401 and self._learn(date):
                status, answer, date = self._exchange(word, headers)
        except (OSError, ValueError, http.client.HTTPException) as error:
            self.close()
            raise Undelivered(_why(error) + self._through) from None
        return self._judged(status, answer)

    def close(self) -> None:
        """Close the connection."""
        if self._connection:
            self._connection.close()
            self._connection = None

    def _patience(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise socket.timeout("timed out")
        return left

    def _exchange(self, word: Word, headers: Mapping[str, str]) -> Any:
        connection = self._connected()
        headers = {**self._signed(word), **self._for_proxy, **headers}
        connection.request("POST", self._path, word.body, headers)
        response = connection.getresponse()
        answer = response.read(MAX_ANSWER)
        if response.will_close or not response.isclosed():
            self.close()
        return response.status, answer, response.headers.get("Date")

    def _connected(self) -> http.client.HTTPConnection:
        if self._connection and self._connection.sock:
            return self._connection
        url, patience = self._target.url, self._patience()
        is_https, host = url.scheme == "https", url.hostname or ""
        self._path = f"{url.path or '/'}{'?' if url.query else ''}{url.query}"
        kind = http.client.HTTPConnection
        if is_https:
            kind = getattr(http.client, "HTTPSConnection", None) or _without_tls()
        if proxy := _proxy(url):
            self._through = f", through the proxy {proxy.hostname}:{proxy.port or 80}"
            made = kind(proxy.hostname or "", proxy.port or 80, timeout=patience)
            if is_https:
                made.set_tunnel(host, url.port or 443, _proxy_headers(proxy))
            else:
                self._path = f"http://{url.netloc}{self._path}"
                self._for_proxy = _proxy_headers(proxy)
        else:
            made = kind(host, url.port, timeout=patience)
        made.connect()
        made.sock = _Until(made.sock, self._patience)
        self._connection = made
        return made

    def _signed(self, word: Word) -> dict[str, str]:
        now = str(int(self._clock() + self.ahead))
        signed = f"{word.id}.{now}.".encode() + word.body
        mac = hmac.new(self._target.signing_key, signed, hashlib.sha256).digest()
        return {
            "Content-Type": "application/json",
            "User-Agent": f"milepost-report/{VERSION}",
            "webhook-id": word.id,
            "webhook-timestamp": now,
            "webhook-signature": f"v1,{base64.b64encode(mac).decode()}",
        }

    def _learn(self, date: str | None) -> bool:
        """Take the time from the server's `Date`; tell whether that explains a refusal."""
        try:
            ahead = parsedate_to_datetime(date or "").timestamp() - self._clock()
        except (TypeError, ValueError, IndexError, OverflowError):
            return False
        is_proven = self._target.url.scheme == "https"
        if abs(ahead - self.ahead) < CLOCK_SECONDS:
            return False
        if abs(ahead) > UNPROVEN_SECONDS and not is_proven:
            return False
        self.ahead = ahead
        return True

    def _judged(self, status: int, answer: bytes) -> str:
        try:
            said = json.loads(answer)
        except (ValueError, RecursionError):
            said = None
        said = said if isinstance(said, dict) else {}
        through = "" if said.get("title") else self._through
        if 200 <= status < 300:
            if said.get("received") is not True:
                wrong = "the answer is no receipt of Milepost; see MILEPOST_CALLBACK_URL"
                raise Undelivered(wrong + through)
            return str(said.get("warning") or "")
        why = said.get("detail") or said.get("title") or http.client.responses.get(status, "")
        if 300 <= status < 400:
            why = "a redirect, which is not followed; see MILEPOST_CALLBACK_URL"
        kind = Refused if status in NEVER else Undelivered
        raise kind(f"Milepost answered {status}: {why}{through}")


def _without_tls() -> NoReturn:
    raise ConnectionError("this Python was built without TLS")


def _proxy(url: SplitResult) -> SplitResult | None:
    """Return the proxy of the environment for this URL; raise `OSError` for one that is no use."""
    if not any(name.lower() == f"{url.scheme}_proxy" for name in os.environ):
        return None
    from urllib import request  # it takes 20 ms to load, and few need it

    given, host = request.getproxies().get(url.scheme), url.hostname or ""
    if not given or request.proxy_bypass(url.netloc) or request.proxy_bypass(host):
        return None
    if _is_in_network(host, request.getproxies().get("no", "")):
        return None
    proxy = urlsplit(given if "://" in given else f"http://{given}")
    if proxy.scheme != "http":
        # To another one we would say in the clear where to connect, and our login at the proxy.
        wanted = f"a proxy must be http://, not {proxy.scheme}://"
        raise ConnectionError(f"{wanted}; see {url.scheme}_proxy")
    return proxy


def _is_in_network(host: str, excepted: str) -> bool:
    """Tell whether a host is an address in one of the networks that are excepted."""
    if "/" not in excepted:
        return False
    import ipaddress

    with contextlib.suppress(ValueError):
        address = ipaddress.ip_address(host)
        for each in excepted.split(","):
            with contextlib.suppress(ValueError):
                if address in ipaddress.ip_network(each.strip(), strict=False):
                    return True
    return False


def _proxy_headers(proxy: SplitResult) -> dict[str, str]:
    if proxy.username is None:
        return {}
    login = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}".encode()
    return {"Proxy-Authorization": f"Basic {base64.b64encode(login).decode()}"}


def _why(error: Exception) -> str:
    if isinstance(error, socket.timeout):
        return NO_ANSWER
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    if not isinstance(error, OSError):
        return f"what answers is no Milepost: {reason}"
    # By its name: a Python may lack the module.
    is_of_tls = type(error).__name__.startswith("SSL")
    return f"{'no secure connection' if is_of_tls else 'no answer'}: {reason}"


class Courier(threading.Thread):
    """Keeps and sends words in a thread of its own, for which nobody has to wait.

    Each pass sends all that waits, the oldest first, and stops at the first that is not taken now:
    the next ones would fare no better.
    """

    def __init__(
        self,
        wire: Wire,
        spool: Spool,
        target: Target,
        say: Callable[[str], None],
        heartbeat_seconds: float | None = None,
    ) -> None:
        super().__init__(daemon=True)
        self._wire, self._spool, self._target, self._say = wire, spool, target, say
        self._every = heartbeat_seconds
        self._told: queue.Queue[tuple[str, Kept] | None] = queue.Queue()
        self._mine: dict[str, Kept] = {}
        self._last: Kept | None = None
        self._deadline = float("inf")
        self.refused = False
        """Whether Milepost will never take one of the words that were told."""
        self.is_done = False
        """Whether nothing waits any more."""

    def begin(self) -> None:
        """Start, if a thread is to be had; without one nothing is sent."""
        with contextlib.suppress(RuntimeError):
            self.start()

    def tell(self, word: Word) -> None:
        """Keep a word on disk, and send it soon."""
        # Here and not in the thread, which a server may keep waiting until the process ends.
        told = self._kept(word)
        self._last = told[1]
        self._told.put(told)

    def finish(self, seconds: float, is_urged: Callable[[], bool] = bool) -> bool:
        """Wait so long for all to be sent; tell whether it was, and all of it taken.

        Once `is_urged` says that whoever started us wants the end, wait as long as by default.
        """
        self._deadline = time.monotonic() + seconds
        self._told.put(None)
        while self.ident and self.is_alive() and (left := self._deadline - time.monotonic()) > 0:
            self.join(min(left, URGED_SECONDS))
            if left > WAIT_SECONDS and is_urged():
                self._deadline = time.monotonic() + WAIT_SECONDS
        if self.is_alive() and self._last:
            self._say(f"{NO_ANSWER}; {self._last.fate}")
        return self.is_done and not self.refused

    def run(self) -> None:
        """Send what is told until the end, and then what is left, with growing pauses."""
        sent, pause, tried_at = False, 1.0, float("-inf")
        while True:
            try:
                told = self._told.get(timeout=self._every)
            except queue.Empty:
                heartbeat = word_of(self._target, {"type": "heartbeat"}, is_kept=False)
                told = self._kept(heartbeat)
            if told is None:
                break
            self._mine.update([told])
            sent, tried_at = self._pass(), time.monotonic()
        if not sent and time.monotonic() - tried_at > pause:
            sent = self._pass()
        while not sent and time.monotonic() + pause < self._deadline:
            time.sleep(pause)
            sent, pause = self._pass(), min(2 * pause, 8.0)
        self.is_done = sent
        for kept in self._mine.values():
            kept.release()

    def _pass(self) -> bool:
        """Send all that waits; tell whether nothing waits any more."""
        try:
            for name in sorted({*self._spool.names(), *self._mine}):
                kept = self._mine.get(name) or self._spool.take(name)
                if kept and not self._is_sent(kept, name):
                    if name not in self._mine:
                        kept.release()
                    return False
        finally:
            self._wire.close()
            self._mine = {name: kept for name, kept in self._mine.items() if kept.word.is_kept}
        return True

    def _kept(self, word: Word) -> tuple[str, Kept]:
        if word.is_kept:
            try:
                return self._spool.put(word)
            except OSError as error:
                self._say(f"nothing can wait on disk: {error.strerror or error}")
        return f"~{word.id}", Kept(word)  # it comes after those on disk

    def _is_sent(self, kept: Kept, name: str) -> bool:
        """Send a word; tell whether it need not be sent again."""
        try:
            deadline = min(self._deadline, time.monotonic() + EXCHANGE_SECONDS)
            if warning := self._wire.post(kept.word, deadline):
                self._say(f"warning: {warning}")
        except Refused as error:
            self.refused = self.refused or name in self._mine
            self._say(str(error))
        except Undelivered as error:
            self._say(f"{error}; {kept.fate}")
            return False
        kept.remove()
        self._mine.pop(name, None)
        return True


# A command with heartbeats


class Companion:
    """A process beside the command, in its process group.

    It copies the command's stderr to ours and remembers its end. It is a process, so that the
    command keeps its stderr when this one is killed, and so does what the command leaves behind.
    It is in the group, so that it knows whether a signal came to the whole group: such a signal
    must not come to the command twice, which would end Terraform in the middle.
    """

    def __init__(self, copies: bool) -> None:
        """Begin, with all signals blocked that may be asked for; raise `OSError` if it cannot."""
        self.writing: int | None = None
        reading = None
        if copies:
            reading, self.writing = os.pipe()
        self._asking, answering = socket.socketpair()
        self._answers = self._asking.makefile("rb")
        if os.fork() == 0:
            try:
                _accompany(reading, answering)
            finally:
                os._exit(0)
        answering.close()
        if reading is not None:
            os.close(reading)

    def close_writing(self) -> None:
        """Leave stderr to the command alone."""
        if self.writing is not None:
            os.close(self.writing)

    def heard(self, signo: int) -> bool:
        """Tell whether the whole group was sent this signal, which has just come."""
        return bool(self._ask(b"signal %d\n" % signo, SIGNAL_SECONDS))

    def tail(self) -> bytes:
        """Return the end of the command's stderr, of which all is copied by then."""
        return self._ask(b"tail\n")

    def _ask(self, question: bytes, takes_seconds: float = 0.0) -> bytes:
        """Return the answer; empty if it does not come because nobody reads our stderr."""
        try:
            self._asking.settimeout(0.5 + takes_seconds)
            self._asking.sendall(question)
            return self._answers.read(int.from_bytes(self._answers.read(4), "big"))
        except OSError:
            return b""


def _accompany(reading: int | None, answering: socket.socket) -> None:
    """Be the companion: copy and answer until nobody writes to the pipe and nobody asks."""
    mine = {answering.fileno(), *([] if reading is None else [reading, 2])}
    try:
        descriptors = [int(path.name) for path in Path("/dev/fd").iterdir()]
    except OSError:
        descriptors = list(range(256))  # a chroot may lack it
    for fd in descriptors:
        if fd not in mine:  # a pipe behind the command must not wait for us
            with contextlib.suppress(OSError):
                os.close(fd)
    os.chdir("/")
    end = b""
    sources: list[Any] = [answering] if reading is None else [answering, reading]
    while sources:
        ready = select.select(sources, [], [])[0]
        if reading in ready:
            end, is_over = _copy(reading, end)
            if is_over:
                sources.remove(reading)
        if answering not in ready:
            continue
        question = answering.recv(64)
        if question.startswith(b"tail"):
            while reading in sources and reading in select.select(sources, [], [], 0)[0]:
                end, is_over = _copy(reading, end)
                if is_over:
                    sources.remove(reading)
            answer = end
        elif question:
            answer = b"it came" if _came(signal.Signals(int(question.split()[1]))) else b""
        else:
            sources.remove(answering)
            continue
        with contextlib.suppress(OSError):
            answering.sendall(len(answer).to_bytes(4, "big") + answer)


def _came(signo: signal.Signals) -> bool:
    """Take a blocked signal, and tell whether it came within `SIGNAL_SECONDS`."""
    # macOS has no sigtimedwait.
    deadline = time.monotonic() + SIGNAL_SECONDS
    while signo not in signal.sigpending():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.001)
    signal.sigwait({signo})
    return True


def _copy(reading: Any, end: bytes) -> Any:
    """Copy some of stderr; return its end, and whether that was the last of it."""
    octets = os.read(reading, 65536)
    left = octets
    try:
        while left:
            select.select([], [2], [])  # others may have made it non-blocking
            left = left[os.write(2, left[:PIPE_BUF]) :]
    except OSError:
        os.close(reading)  # so that the command learns, as without us, that nobody reads it
        return end, True
    return (end + octets)[-MAX_TAIL:], not octets


class Command:
    """A command that runs, with the signals that come meanwhile passed on to it."""

    def __init__(self, argv: list[str], env: Mapping[str, str], copies: bool) -> None:
        """Start it; raise `OSError` if there is no such command."""
        _check_name(argv)
        self._heard = {each for each in PASSED_ON if signal.getsignal(each) is not signal.SIG_IGN}
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {*self._heard, signal.SIGCHLD})
        self.ended_by: signal.Signals | None = None
        """The signal that came to us and should end the command, if one came."""
        self._companion: Companion | None = None
        with contextlib.suppress(OSError):  # without it the command runs all the same
            self._companion = Companion(copies)
        actions = []
        if self._companion and self._companion.writing is not None:
            actions = [(os.POSIX_SPAWN_DUP2, self._companion.writing, 2)]
        # What Python ignores, the command would ignore, too.
        masks: Any = {"setsigmask": before, "setsigdef": IGNORED_BY_PYTHON}
        try:
            self._pid = os.posix_spawnp(argv[0], argv, env, file_actions=actions, **masks)
        except OSError as error:
            if error.errno != errno.ENOEXEC:
                raise
            # A script without a first line that names its shell.
            script = ["sh", shutil.which(argv[0]) or argv[0], *argv[1:]]
            self._pid = os.posix_spawnp("/bin/sh", script, env, file_actions=actions, **masks)
        finally:
            if self._companion:
                self._companion.close_writing()

    def wait(self) -> int:
        """Return the wait status once the command has ended."""
        while True:
            signo = signal.sigwait({*self._heard, signal.SIGCHLD})
            if signo == signal.SIGCHLD:
                pid, status = os.waitpid(self._pid, os.WNOHANG)
                if pid:
                    return status
                continue
            if signo in ENDING:
                self.ended_by = signal.Signals(signo)
            if not self._companion or not self._companion.heard(signo):
                with contextlib.suppress(OSError):
                    os.kill(self._pid, signo)

    def tail(self) -> bytes:
        """Return the end of its stderr; empty if it was not copied."""
        return self._companion.tail() if self._companion else b""


def error_text(how: str, tail: bytes, key: str) -> str:
    """Return what is reported of a failure: how it ended, and the end of stderr in plain text."""
    text = tail.decode("utf-8", "replace")
    if len(tail) >= MAX_TAIL:  # the first line is cut, and may be cut in the middle of the key
        first, newline, rest = text.partition("\n")
        text = rest if newline else first[len(key) :]
    text = COLOURS.sub("", text).replace("\r\n", "\n").replace("\r", "\n")
    return f"{how}\n{CONTROL.sub('�', text).strip()}".strip()


def how_it_ended(status: int) -> str:
    """Return how a command ended, in words."""
    if os.WIFSIGNALED(status):
        return f"Ended by {_signal_name(os.WTERMSIG(status))}"
    return f"Exit status {os.WEXITSTATUS(status)}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def end_as(status: int) -> NoReturn:
    """End this process as the command ended, also by the same signal."""
    if os.WIFSIGNALED(status):
        signo = os.WTERMSIG(status)
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            signal.signal(signo, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signo})
        os.kill(os.getpid(), signo)
        os._exit(128 + signo)
    os._exit(os.WEXITSTATUS(status))


# The command line


class Reporter:
    """One call: what it says, and how it ends."""

    def __init__(self, options: argparse.Namespace, environ: Mapping[str, str]) -> None:
        self._options, self._environ = options, environ
        self._said: set[str] = set()
        # Where stderr is closed, the next file that is opened takes its number.
        self._is_mute = _is_closed(2)

    def say(self, text: str) -> None:
        """Write one line to stderr, once."""
        line = "".join(each if each.isprintable() else " " for each in text)[:500]
        line = ORDERS.sub("# ", line)
        if line not in self._said and not self._is_mute:
            self._said.add(line)
            octets = f"milepost-report: {line}\n".encode("utf-8", "replace")
            with contextlib.suppress(OSError):
                # A full pipe that nobody reads would hold up the job. One with room takes a line.
                if select.select([], [2], [], SAY_SECONDS)[1]:
                    os.write(2, octets)

    def call(self, command: list[str]) -> int:
        """Do what is asked; return the exit status."""
        try:
            target = target_of(self._environ)
            fields = self._fields()
        except Unusable as error:
            self.say(str(error))
            if command and not self._options.strict:
                return self._run_alone(command)
            return 1 if self._options.strict or self._options.what == "check" else 0
        if self._options.what == "check":
            return self._check(target)
        if command:
            self._run(command, target)
        courier = self._courier(target)
        if fields:
            is_kept = self._options.what != "heartbeat"
            courier.tell(word_of(target, fields, is_kept=is_kept))
        courier.begin()
        taken = courier.finish(self._seconds_left())
        return 0 if taken or not self._options.strict else 1

    def _courier(self, target: Target, every: float | None = None) -> Courier:
        return Courier(Wire(target), self._spool(target), target, self.say, every)

    def _spool(self, target: Target) -> Spool:
        return Spool(spool_root(self._environ), target.name)

    def _seconds_left(self) -> float:
        is_flush = self._options.what == "flush"
        usual = "" if is_flush else self._environ.get("MILEPOST_WAIT", "").strip()
        default = FLUSH_SECONDS if is_flush else WAIT_SECONDS
        given = self._options.wait or usual or default
        if not re.fullmatch(r"\d{1,4}(\.\d+)?", str(given)):
            self.say("MILEPOST_WAIT and --wait are seconds, like 1 or 2.5")
            given = default
        return max(0.1, float(given) - STARTUP_SECONDS)

    def _fields(self) -> dict[str, Any] | None:
        """Return the fields of the callback; None for a call that makes none of its own."""
        what, given = self._options.what, vars(self._options)
        fields: dict[str, Any] = {
            name: given.get(name)
            for name in ("step", "failed_step", "error", "server_id", "server_ip", "tailscale_ip")
        }
        if what == "heartbeat":
            return {"type": "heartbeat"}
        if what == "step":
            if not fields["step"].strip():
                raise Unusable("a step needs a name")
            return {"status": "provisioning", **fields}
        if what == "status":
            if not (status := STATUSES.get(self._options.status.strip().lower())):
                raise Unusable(f"unknown status; known are {', '.join(STATUSES)}")
            return {"status": status, **fields}
        if what == "metadata":
            pairs = _pairs(self._options.pairs) or None
            if not any(fields.values()):
                # As a status, it would begin the next attempt of a run that has failed.
                return {"type": "heartbeat", "metadata": pairs}
            return {"status": "provisioning", **fields, "metadata": pairs}
        return None

    def _run(self, argv: list[str], target: Target) -> NoReturn:
        """Run a command between its first and its last word, and end as it ends."""
        options = self._options
        is_whole = not options.step and not options.done
        env = dict(os.environ)
        if is_whole and not target.run_id:
            # What the command itself reports belongs to the same run.
            env["MILEPOST_RUN_ID"] = f"run-{os.urandom(8).hex()}"
            target = target._replace(run_id=env["MILEPOST_RUN_ID"])
        begun = word_of(target, {"status": "provisioning", "step": options.step})
        # A terminal stays the command's own. It would behave differently behind a pipe.
        copies = not options.no_stderr and not self._is_mute and not os.isatty(2)
        courier = self._courier(target, HEARTBEAT_SECONDS)
        if is_whole or options.step:
            courier.tell(begun)
        ended_at = time.monotonic()
        try:
            command = Command(argv, env, copies)
        except OSError as error:
            self.say(f"{argv[0]}: {error.strerror}")
            how = f"{argv[0]}: {error.strerror}"
            status, ended_by, tail = _not_started(error), None, b""
        else:
            courier.begin()
            status = command.wait()
            ended_at = time.monotonic()
            how, ended_by, tail = how_it_ended(status), command.ended_by, command.tail()
        if status:
            outcome = "cancelled" if ended_by else "failed"
            if ended_by and ended_by.name not in how:
                how = f"{how} after {ended_by.name}"
            failed = {"failed_step": options.step, "error": error_text(how, tail, target.key)}
            courier.tell(word_of(target, {"status": outcome, **failed}))
        elif is_whole:
            courier.tell(word_of(target, {"status": "running"}))
        elif options.done:
            courier.tell(word_of(target, {"status": "provisioning", "step": options.done}))
        if not courier.ident:
            courier.begin()
        left = max(0.1, ended_at + self._seconds_left() - time.monotonic())
        taken = courier.finish(left, _is_urged)
        if not status and not taken and options.strict:
            os._exit(1)
        end_as(status)

    def _run_alone(self, argv: list[str]) -> int:
        """Become the command, which nobody can be told of."""
        for each in IGNORED_BY_PYTHON:
            signal.signal(each, signal.SIG_DFL)
        try:
            _check_name(argv)
            os.execvp(argv[0], argv)  # noqa: S606  its whole purpose
        except OSError as error:
            self.say(f"{argv[0]}: {error.strerror}")
            return os.WEXITSTATUS(_not_started(error))

    def _check(self, target: Target) -> int:
        """Send a ping, which Milepost answers and records nowhere; say what is right or wrong."""
        wire, begun = Wire(target), time.monotonic()
        ping = word_of(target, {"type": "ping"})
        try:
            seconds = max(5.0, self._seconds_left())
            wire.post(ping, begun + seconds, **{"X-GitHub-Event": "ping"})
        except (Refused, Undelivered) as error:
            self.say(f"{target.url.geturl()}: {error}")
            return 1
        took = (time.monotonic() - begun) * 1000
        clock = "the clock is right"
        if wire.ahead:
            clock = f"the clock is {-wire.ahead:+.0f} s off, which is corrected"
        spool = self._spool(target)
        run = " attempt ".join(each for each in (target.run_id, target.run_attempt) if each)
        waits = f"{len(spool.names())} callbacks wait in {spool.folder}"
        said = (
            f"{target.url.geturl()} answers in {took:.0f} ms and takes the key; {clock}; "
            f"job {target.job_id}, run {run or 'unnamed'}; {waits}\n"
        )
        if sys.stdout:  # Python has none if it is closed
            sys.stdout.write(said)
        return 0


def _pairs(given: Sequence[str]) -> dict[str, str]:
    pairs = {}
    for pair in given:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise Unusable("metadata are pairs like image=debian-12")
        pairs[name] = value
    return pairs


def _check_name(argv: Sequence[str]) -> None:
    """Raise for an empty name what the system would; Python has another error for it."""
    if not argv[0]:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))


def _not_started(error: OSError) -> int:
    """Return the wait status that shells give a command that is missing or cannot run."""
    return (127 if isinstance(error, FileNotFoundError) else 126) << 8


def _is_urged() -> bool:
    """Tell whether a signal has come that should end us; `Command` has blocked all of these."""
    return not signal.sigpending().isdisjoint(ENDING)


def _is_closed(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return True
    return False


class _Version(argparse.Action):
    """Shows the version, and the digest of this file, which only a program with a file has."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        digest = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
        sys.stdout.write(f"{parser.prog} {VERSION} sha256:{digest}\n")
        parser.exit()


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line, without the command of `run`."""
    made = argparse.ArgumentParser(
        "milepost-report",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    made.add_argument("--version", action=_Version, nargs=0, help="show the version and the digest")
    common = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    common.add_argument("--strict", action="store_true", help="exit 1 if Milepost did not take it")
    common.add_argument("--wait", metavar="SECONDS", help="how long this call may take to deliver")
    machine = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for name, meaning in (("server-id", "id"), ("server-ip", "address")):
        machine.add_argument(f"--{name}", metavar="TEXT", help=f"the machine's {meaning}")
    machine.add_argument("--tailscale-ip", metavar="TEXT", help="its private address")
    calls = made.add_subparsers(dest="what", metavar="COMMAND", required=True)

    def add(name: str, meaning: str, *parents: argparse.ArgumentParser) -> Any:
        return calls.add_parser(
            name, help=meaning, description=meaning, parents=[common, *parents], allow_abbrev=False
        )

    add("step", "the run has reached a step", machine).add_argument("step", metavar="NAME")
    add("heartbeat", "the run is alive")
    status = add("status", "the run begins or ends", machine)
    status.add_argument("status", metavar="STATUS", help=", ".join(STATUSES))
    status.add_argument("--error", metavar="TEXT", help="why it failed")
    status.add_argument("--failed-step", metavar="NAME", help="the step that failed")
    metadata = add("metadata", "what is known of the machine, and NAME=VALUE of your own", machine)
    metadata.add_argument("pairs", metavar="NAME=VALUE", nargs="*")
    run = add("run", "run a command, given after --, with heartbeats, and end as it ends")
    run.add_argument("--step", metavar="NAME", help="the step that it begins with")
    run.add_argument("--done", metavar="NAME", help="the step that it has reached if it succeeds")
    run.add_argument("--no-stderr", action="store_true", help="report nothing of its stderr")
    add("flush", f"send what waits, for {FLUSH_SECONDS:.0f} s at most")
    add("check", "say whether URL, key and clock are right; records nothing")
    return made


def _parted(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the arguments of this program, and the command after `--`.

    What follows an option that takes a value is its value, also if it begins with a hyphen as a
    line of a log may: argparse would end the job because of it.
    """
    mine, left = [], list(argv)
    while left and (given := left.pop(0)) != "--":
        mine.append(f"{given}={left.pop(0)}" if given in WITH_VALUE and left else given)
    return mine, left


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Be the program `milepost-report`; return its exit status."""
    mine, command = _parted(argv)
    options = parser().parse_args(mine)
    if bool(command) != (options.what == "run"):
        parser().error("write the command of run after --, and no other")
    return Reporter(options, environ).call(command)


if __name__ == "__main__":
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    ended = main(sys.argv[1:], os.environ)
    # A thread that waits for a silent server must not hold us.
    with contextlib.suppress(OSError, ValueError):
        if sys.stdout:  # Python has none if the job has closed it
            sys.stdout.flush()
    os._exit(ended)
