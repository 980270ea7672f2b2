"""PostgreSQL's settings, set from outside: with each, Milepost is right or says one line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import psycopg
import pytest

from domain.job.callback import Callback
from domain.workflows.definition import Workflows
from tests.support.people.shell import Shell, beside
from tests.support.projectors.verifying import verify
from tests.support.stores.deployment import Clock, Deployment, settle
from tests.support.stores.outside import HOSTILE, WAYS, by_database
from tests.support.stores.postgres_server import create_database

UNPINNED: Final[dict[str, str]] = {
    "application_name": "other",
    "check_function_bodies": "off",
    "client_connection_check_interval": "1s",
    "constraint_exclusion": "on",
    "cursor_tuple_fraction": "1",
    "debug_parallel_query": "on",
    "default_statistics_target": "1",
    "default_transaction_deferrable": "on",
    "enable_bitmapscan": "off",
    "enable_hashagg": "off",
    "enable_hashjoin": "off",
    "enable_indexonlyscan": "off",
    "enable_indexscan": "off",
    "enable_material": "off",
    "enable_mergejoin": "off",
    "enable_nestloop": "off",
    "enable_sort": "off",
    "escape_string_warning": "on",
    "from_collapse_limit": "1",
    "geqo_threshold": "2",
    "gin_fuzzy_search_limit": "1",
    "jit_above_cost": "0",
    "join_collapse_limit": "1",
    "lc_messages": "C",
    "log_statement": "all",
    "max_parallel_workers_per_gather": "4",
    "min_parallel_table_scan_size": "0",
    "parallel_setup_cost": "0",
    "restrict_nonsystem_relation_kind": "view",
    "search_path": "nowhere",
    "session_replication_role": "replica",
    "synchronous_commit": "off",
    "tcp_keepalives_idle": "7200",
    "tcp_user_timeout": "1",
    "temp_buffers": "100",
    "timezone_abbreviations": "Australia",
    "work_mem": "64",
    "xmlbinary": "hex",
    "xmloption": "document",
}
"""Settings that Milepost leaves as they are, or that have no one value."""
HARSH: Final[dict[str, str]] = {
    "idle_session_timeout": "300ms",
    "idle_in_transaction_session_timeout": "1ms",
    "lock_timeout": "1ms",
    "statement_timeout": "200ms",
    "transaction_timeout": "200ms",
}
"""Values with which a session that is not Milepost's own is soon at its end."""
REFUSED: Final[dict[str, tuple[str, str]]] = {
    "default_transaction_read_only": ("on", "session is read-only"),
    "role": ("pg_read_all_data", "milepost init-db --grants"),
}


@pytest.fixture
def dsn(postgres_server_dsn: str) -> str:
    """A database of its own, because its settings stay."""
    return create_database(postgres_server_dsn)


def known_to_the_server(dsn: str, settings: Mapping[str, str]) -> dict[str, str]:
    """Return those settings that a server of this version has."""
    with psycopg.connect(dsn) as connection:
        rows = connection.execute("SELECT lower(name) FROM pg_settings").fetchall()
    known = {name for (name,) in rows}
    return {name: value for name, value in settings.items() if name.lower() in known}


def lives(dsn: str, workflows: Workflows, clock: Clock, folder: Path) -> None:
    """Let a log live over this database, and look at it with everything that there is."""
    made = Deployment(
        {"PERSISTENCE_MODULE": "domain.log.postgres", "DATABASE_URL": dsn}, workflows, clock
    )
    try:
        for number in range(3):
            heartbeat = Callback(job_id=r"j\¥", type="heartbeat", callback_id=str(number))
            receipt = made.milepost.record(heartbeat)
            assert (receipt.version, receipt.position) == (number + 1, number + 1)
            assert made.milepost.record(heartbeat).duplicate
        with made.read_model.projector_lock() as held:
            assert held
            settle(made)
            held.wait(0.4)  # The session is idle for longer than its role may be.
            shell = beside(made, folder)
            assert shell.lines("verify")[-1]["findings"] == 0
            assert shell.json("rebuild")["events"] == 3
            assert [job["id"] for job in shell.lines("jobs")] == [r"j\¥"]
            another = made.again()
            with another.read_model.projector_lock() as second:
                assert second is None
            another.close()
        assert verify(made).findings == []
    finally:
        made.close()


@pytest.mark.parametrize("name", [*HARSH, "session_replication_role", "search_path"])
def test_milepost_is_right_whatever_this_setting_is(
    dsn: str,
    workflows: Workflows,
    clock: Clock,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    harsh = known_to_the_server(dsn, {name: {**UNPINNED, **HARSH}[name]})
    by_database(dsn, harsh, monkeypatch)

    lives(dsn, workflows, clock, tmp_path)


@pytest.mark.parametrize("way", WAYS)
def test_milepost_is_right_with_all_settings_from_this_place(
    dsn: str,
    workflows: Workflows,
    clock: Clock,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    way: str,
) -> None:
    settings = known_to_the_server(dsn, {**HOSTILE, **UNPINNED})

    lives(WAYS[way](dsn, settings, monkeypatch), workflows, clock, tmp_path)


@pytest.mark.parametrize("name", REFUSED)
def test_one_line_says_at_the_start_what_cannot_be(
    dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    value, why = REFUSED[name]
    by_database(dsn, {name: value}, monkeypatch)
    shell = Shell(MILEPOST_HOME=str(tmp_path / "home"), MILEPOST_DATABASE_URL=dsn)

    assert why in shell.fails("init-db")
