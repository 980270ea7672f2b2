"""Workers that die or hang are replaced, as often as it takes."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import psutil

from tests.support.processes.server import MILEPOST, Make, Server, port_is_free

DEATHS = 4


def worker(server: Server) -> psutil.Process:
    """Return the one worker that lives."""
    found: list[psutil.Process] = []

    def is_there() -> bool:
        found[:] = server.processes()[1:]
        return len(found) == 1

    server.until(is_there, "has no worker")
    return found[0]


def test_a_worker_that_dies_again_and_again_is_replaced_and_no_client_is_refused(
    make_server: Make,
) -> None:
    """Clients wait in the queue of the port until the next worker takes them."""
    server = make_server().start()
    for number in range(1, DEATHS + 1):
        worker(server).kill()
        receipt = server.callback({"job_id": "job-1", "type": "heartbeat"})
        assert (receipt.status, receipt.body["position"]) == (200, number)
    assert server.stop() == 0


def test_a_worker_that_gives_no_sign_of_life_is_replaced(make_server: Make) -> None:
    server = make_server().start()
    hung = worker(server)

    hung.suspend()

    assert server.callback({"job_id": "job-1", "type": "heartbeat"}).status == 200
    assert not hung.is_running()
    assert f"worker {hung.pid} gives no sign of life" in server.log.read_text()


def test_a_server_that_was_suspended_as_a_whole_keeps_its_worker(make_server: Make) -> None:
    server = make_server().start()
    assert server.process
    before = worker(server)
    for sent in (signal.SIGSTOP, signal.SIGCONT):
        os.killpg(server.process.pid, sent)

    assert server.callback({"job_id": "job-1", "type": "heartbeat"}).status == 200
    assert worker(server) == before


def test_workers_end_with_a_server_that_is_killed(make_server: Make, postgres_dsn: str) -> None:
    server = make_server(postgres_dsn, "--workers", "2").start()
    parent, *workers = server.processes()

    parent.kill()

    assert psutil.wait_procs(workers, 10)[1] == []
    assert port_is_free(server.port)


def test_what_the_starting_program_did_with_signals_changes_nothing(tmp_path: Path) -> None:
    """A worker that had died looked alive for ever, and SIGTERM ended nothing."""
    ignoring = """
import os, signal, sys
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, {*signal.valid_signals()})
os.execv(sys.argv[1], sys.argv[1:])
"""
    server = Server(tmp_path, command=(sys.executable, "-c", ignoring, MILEPOST))
    try:
        server.start()
        worker(server).kill()
        assert server.callback({"job_id": "job-1", "type": "heartbeat"}).status == 200
        assert server.stop() == 0
    finally:
        server.kill()
