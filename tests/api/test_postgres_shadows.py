"""Who may create functions in the schema of Milepost's tables has Milepost call none of them."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from domain.workflows.definition import Workflows
from tests.support.people.shell import Shell, beside
from tests.support.stores.deployment import Clock, Deployment, settle
from tests.support.stores.postgres_server import create_database
from tests.support.stores.shadows import plant
from tests.support.web.site import MACHINE, Site


@pytest.fixture
def shadowed(postgres_server_dsn: str) -> str:
    return _shadowed(postgres_server_dsn)


def _shadowed(server: str) -> str:
    dsn = create_database(server)
    with psycopg.connect(dsn) as connection:
        plant(connection)
    return dsn


def test_a_shadow_takes_the_place_of_postgresqls_own_function(shadowed: str) -> None:
    """So the tests below look at something."""
    with (
        psycopg.connect(shadowed) as connection,
        pytest.raises(psycopg.errors.RaiseException, match="a shadow was called: unnest"),
    ):
        connection.execute("SELECT unnest('{a}'::text[])")


def test_no_call_of_milepost_fits_another_function_better_than_postgresqls_own(
    shadowed: str,
    postgres_server_dsn: str,
    workflows: Workflows,
    clock: Clock,
    tmp_path: Path,
) -> None:
    made = Deployment(
        {"PERSISTENCE_MODULE": "domain.log.postgres", "DATABASE_URL": shadowed}, workflows, clock
    )
    try:
        site, shell = Site(made), beside(made, tmp_path)
        site.register()
        site.report(status="provisioning", step="vm_created", callback_id="1")
        assert site.report(status="provisioning", step="vm_created", callback_id="1")["duplicate"]
        site.report(status="failed", **MACHINE)
        site.ordered("retry")
        with made.read_model.projector_lock() as held:
            assert held
            settle(made)
            held.wait(0.01)
        assert site.look("/jobs", site.sign_in(site.token("read"))).status_code == 200
        for path in ("/api/jobs?attention=true", "/api/events?kind=JobQueued", "/metrics"):
            assert site.get(path).status_code == 200, path
        assert site.services.warnings() == []
        assert site.services.surroundings.connections_allowed()

        shell("init-db")
        assert "GRANT" in shell("init-db", "--grants", "somebody")
        assert shell.json("rebuild")["events"] == 5
        assert shell.lines("verify")[-1]["findings"] == 0
        shell("losses", "list")
        shell("export", str(tmp_path / "events"))
        there = Shell(
            MILEPOST_HOME=str(tmp_path / "there"),
            MILEPOST_DATABASE_URL=_shadowed(postgres_server_dsn),
        )
        there("import", str(tmp_path / "events"))
        assert there.lines("verify")[-1]["findings"] == 0
    finally:
        made.close()
