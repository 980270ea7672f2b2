"""The front under a real server: a database that hangs, slow senders, and an orderly end."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from random import Random
from threading import Event

import psutil
import pytest

from tests.support.processes.server import MILEPOST, SECRET, Answer, Make, Server, running
from tests.support.stores.postgres_server import PostgresServer, own_server
from tests.support.web.hostile_http import pieces, stream

SLOW_SENDERS = 200
PATIENCE_SECONDS = 20
"""Longer than every deadline of a request."""


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL that this test may suspend."""
    with own_server() as server:
        yield server


@pytest.fixture
def sqlite_server(make_server: Make) -> Server:
    """A running server, for what happens before any database is asked, or after."""
    return make_server().start()


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running server that no test ends."""
    with running(tmp_path_factory.mktemp("server")) as server:
        yield server


@contextmanager
def suspended(postgres: PostgresServer) -> Iterator[None]:
    """Let every process of a PostgreSQL stand still."""
    pid = int((postgres.folder / "postmaster.pid").read_text().splitlines()[0])
    postmaster = psutil.Process(pid)
    processes = [postmaster, *postmaster.children(recursive=True)]
    for process in processes:
        process.suspend()
    try:
        yield
    finally:
        for process in processes:
            process.resume()


def begun(server: Server, body: Mapping[str, object]) -> tuple[socket.socket, bytes]:
    """Send a signed callback but for the end of its body; return the connection and that end."""
    raw = json.dumps(body).encode()
    signature = hmac.new(SECRET.encode(), raw, hashlib.sha256).hexdigest()
    head = (
        f"POST /api/callbacks HTTP/1.1\r\nHost: milepost\r\nX-Signature: {signature}\r\n"
        f"Content-Length: {len(raw)}\r\n\r\n"
    )
    connection = socket.create_connection(("127.0.0.1", server.port), PATIENCE_SECONDS)
    connection.sendall(head.encode() + raw[:5])
    return connection, raw[5:]


def created_token(server: Server) -> str:
    """Make a token that may read, as an operator does."""
    command = [str(MILEPOST), "tokens", "create", "page", "--scope", "read"]
    done = subprocess.run(command, env=server.env, capture_output=True, text=True, check=True)
    [token] = re.findall(r"mp_[0-9a-f]+_[-_A-Za-z0-9]+", done.stdout)
    return str(token)


def status_line(connection: socket.socket) -> str:
    """Return the first line of an answer; an empty one if the server has hung up."""
    return connection.recv(4096).split(b"\r\n")[0].decode()


def test_every_caller_of_a_database_that_hangs_gets_a_503(
    own_postgres: PostgresServer, make_server: Make
) -> None:
    """The first one, too; and what does not need the database is answered meanwhile."""
    server = make_server(own_postgres.dsn).start()
    server.post("/api/jobs", {"agent_id": "agent-1", "job_id": "job-1"})
    server.callback({"job_id": "job-1", "status": "provisioning"})
    token = created_token(server)  # which this server has not looked up yet
    asked: list[Callable[[], Answer]] = [
        lambda: server.get("/api/agents/agent-1/instance", token),
        lambda: server.callback({"job_id": "job-1", "status": "provisioning", "step": "a"}),
        lambda: server.callback({"job_id": "job-1", "type": "heartbeat"}),
        lambda: server.get("/api/agents/agent-1/instance"),
        lambda: server.get("/api/jobs/job-1"),
        lambda: server.post("/api/jobs", {"agent_id": "agent-2"}),
        lambda: server.get("/readyz"),
    ]

    with suspended(own_postgres), ThreadPoolExecutor(len(asked)) as pool:
        answers = [pool.submit(each) for each in asked]
        assert server.get("/livez").status == 200
        assert [answer.result(PATIENCE_SECONDS).status for answer in answers] == [503] * len(asked)

    server.until(lambda: server.get("/readyz").status == 200, "does not recover")
    assert server.callback({"job_id": "job-1", "status": "running"}).status == 200
    assert server.instance("agent-1")["instance"]["status"] == "running"


def test_slow_senders_stop_nobody_and_are_ended(shared_server: Server) -> None:
    server = shared_server
    before = server.get("/readyz").body["log_position"]
    with ExitStack() as stack:
        slow = []
        for number in range(SLOW_SENDERS):
            connection, _ = begun(server, {"job_id": f"slow-{number}", "type": "heartbeat"})
            slow.append(stack.enter_context(connection))

        for step in ("vm_created", "ansible_started"):
            body = {"job_id": "quick", "status": "provisioning", "step": step}
            assert server.callback(body).status == 200
        assert server.get("/api/jobs/quick").body["current_step"] == "ansible_started"

        lines = [status_line(connection) for connection in slow]

    assert lines == ["HTTP/1.1 408 Request Timeout"] * SLOW_SENDERS
    assert server.get("/readyz").body["log_position"] == before + 2


def test_clients_that_hang_up_in_the_middle_leave_nothing_behind(shared_server: Server) -> None:
    server = shared_server
    worker = server.processes()[1]
    last = server.callback({"job_id": "stays", "status": "provisioning"}).body["position"]
    before = (worker.num_threads(), worker.num_fds())

    for number in range(SLOW_SENDERS):
        begun(server, {"job_id": f"gone-{number}", "type": "heartbeat"})[0].close()

    beat = server.callback({"job_id": "stays", "type": "heartbeat"})
    assert beat.body["position"] == last + 1
    server.until(lambda: (worker.num_threads(), worker.num_fds()) <= before, "holds connections")


def test_a_server_that_is_asked_to_end_answers_what_is_under_way(server: Server) -> None:
    """First it is not ready any more, then its port closes, and nobody is cut off."""
    assert server.process
    connection, rest = begun(server, {"job_id": "job-1", "status": "provisioning"})

    server.process.send_signal(signal.SIGTERM)
    server.until(lambda: server.get("/readyz").status == 503, "is still ready")
    late = server.callback({"job_id": "job-2", "status": "provisioning"})
    assert (late.status, late.headers["connection"]) == (200, "close")
    server.until(lambda: refuses(server), "still takes connections")
    with connection:
        connection.sendall(rest)
        assert status_line(connection) == "HTTP/1.1 200 OK"

    assert server.process.wait(PATIENCE_SECONDS) == 0
    server.start()
    assert server.get("/readyz").body["log_position"] == 2


@pytest.mark.parametrize("numbers", [[signal.SIGTERM], [signal.SIGHUP, signal.SIGHUP]])
def test_a_signal_to_every_process_drains_as_one_to_the_server_does(
    sqlite_server: Server, numbers: list[signal.Signals]
) -> None:
    """As `timeout` and service managers send it, and terminals that are closed, more than once."""
    server = sqlite_server
    assert server.process
    connection, rest = begun(server, {"job_id": "job-1", "status": "provisioning"})

    for number in numbers:
        os.killpg(server.process.pid, number)
        server.until(lambda: server.get("/readyz").status == 503, "is still ready")
    assert server.callback({"job_id": "job-2", "status": "provisioning"}).status == 200
    server.until(lambda: refuses(server), "still takes connections")
    with connection:
        connection.sendall(rest)
        assert status_line(connection) == "HTTP/1.1 200 OK"

    assert server.process.wait(PATIENCE_SECONDS) == 0
    assert "has ended with status" not in server.log.read_text()


def test_a_server_that_nohup_started_outlives_its_terminal(make_server: Make) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # a process inherits what is ignored
    try:
        server = make_server().start()
    finally:
        signal.signal(signal.SIGHUP, before)
    assert server.process

    os.killpg(server.process.pid, signal.SIGHUP)
    server.process.send_signal(signal.SIGTERM)  # only that one ends it

    assert server.process.wait(PATIENCE_SECONDS) == 0
    assert server.log.read_text().count("has ended with status") == 0


def test_of_two_servers_that_start_at_once_on_a_port_one_runs(make_server: Make) -> None:
    """Else each would answer a part of the other one's requests."""
    one, other = make_server(), make_server()
    command = [str(MILEPOST), "serve", "--port", str(one.port)]
    both = [
        subprocess.Popen(command, env=each.env, stderr=subprocess.PIPE, text=True)
        for each in (one, other)
    ]
    try:
        one.until(lambda: any(each.poll() is not None for each in both), "share the port")
        [refused] = [each for each in both if each.poll() is not None]
        assert refused.returncode == 1
        assert refused.stderr
        assert f"port {one.port} on 127.0.0.1 is in use" in refused.stderr.read()
        one.until(lambda: one.request("GET", "/livez").status == 200, "does not serve")
    finally:
        for each in both:
            each.terminate()
            each.communicate(timeout=PATIENCE_SECONDS)


def test_a_second_signal_ends_everything_at_once(sqlite_server: Server) -> None:
    server = sqlite_server
    assert server.process
    processes = server.processes()
    with begun(server, {"job_id": "job-1", "type": "heartbeat"})[0]:
        server.process.send_signal(signal.SIGINT)
        server.until(lambda: refuses(server), "still takes connections")
        server.process.send_signal(signal.SIGINT)

        assert server.process.wait(PATIENCE_SECONDS) == 128 + signal.SIGINT

    psutil.wait_procs(processes, PATIENCE_SECONDS)
    assert not any(process.is_running() for process in processes)


def test_flask_alone_answers_everything_too(make_server: Make) -> None:
    server = make_server(None, "--wsgi").start()
    server.post("/api/jobs", {"agent_id": "agent-1", "job_id": "job-1"})

    receipt = server.callback({"job_id": "job-1", "status": "provisioning", "step": "vm_created"})

    assert (receipt.status, receipt.body["position"]) == (200, 2)
    assert server.instance("agent-1")["instance"]["currentStep"] == "vm_created"
    assert server.get("/livez").status == 200


def test_http_2_is_refused(shared_server: Server) -> None:
    server = shared_server
    with socket.create_connection(("127.0.0.1", server.port), PATIENCE_SECONDS) as connection:
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9))

        assert not status_line(connection).startswith("HTTP/2")

    assert server.get("/livez").status == 200


def test_after_hostile_bytes_each_worker_answers_health_and_callbacks(
    make_server: Make, postgres_dsn: str
) -> None:
    server = make_server(postgres_dsn, "--workers", "2").start()
    random, before = Random(SLOW_SENDERS), server.processes()

    for _ in range(SLOW_SENDERS):
        with socket.create_connection(("127.0.0.1", server.port), PATIENCE_SECONDS) as connection:
            with suppress(ConnectionError):
                for piece in pieces(random, stream(random)):
                    connection.sendall(piece)

    # A new connection goes to either worker.
    for number in range(1, 21):
        assert server.get("/livez").status == 200
        receipt = server.callback({"job_id": "job-1", "type": "heartbeat"})
        assert (receipt.status, receipt.body["version"]) == (200, number)
    assert server.processes() == before
    assert "Traceback" not in server.log.read_text()


def refuses(server: Server) -> bool:
    """Tell whether nobody listens on the server's port any more."""
    with socket.socket() as probe:
        probe.settimeout(1)
        refused = probe.connect_ex(("127.0.0.1", server.port)) != 0
    Event().wait(0.01)
    return refused
