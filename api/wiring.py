"""Wiring: the one place that knows which parts go together for which database."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from api.settings.home import make_home
from api.settings.settings import Settings
from api.tokens import TokenStore
from api.tokens.postgres import PostgresTokens
from api.tokens.remembered import RememberedTokens
from api.tokens.sqlite import SQLiteTokens
from domain.application import Milepost, utc_now
from domain.evidence.checkpoint import Checkpoint
from domain.log.store import translated
from domain.workflows.definition import Workflows
from domain.workflows.files import load
from projections.projecting.projector import Projector
from projections.reactions.watchdog import Watchdog
from projections.read_model.contract import ReadModel
from projections.read_model.postgres import PostgresReadModel
from projections.read_model.sqlite import SQLiteReadModel
from projections.reading.history import History
from projections.reading.reader import Reader
from projections.rebuilding.cleaner import Cleaner
from projections.rebuilding.contract import Shadow
from projections.rebuilding.postgres import PostgresShadow
from projections.rebuilding.rebuild import Rebuild
from projections.rebuilding.sqlite import SQLiteShadow
from projections.tree.contract import TILE, TreeStore
from projections.tree.grower import Grower
from projections.tree.postgres import PostgresTree
from projections.tree.proofs import Evidence
from projections.tree.sqlite import SQLiteTree
from projections.verification.findings import Finding
from projections.verification.inspection.contract import Inspection
from projections.verification.inspection.postgres import PostgresInspection
from projections.verification.inspection.sqlite import SQLiteInspection
from projections.verification.run import Verification


class Services(msgspec.Struct, frozen=True):
    """Everything over one database."""

    settings: Settings
    milepost: Milepost
    read_model: ReadModel
    shadow: Shadow
    reader: Reader
    history: History
    tree: TreeStore
    tokens: RememberedTokens
    workflows: Workflows
    clock: Callable[[], datetime]
    is_draining: Callable[[], bool] = lambda: False

    def prepare(self) -> None:
        """Create every table that is not there yet; raise `StoreUnavailable`."""
        with translated():
            self.milepost.store.create_table()
            self.read_model.prepare()
            self.tree.prepare()
            self.tokens.prepare()

    def projector(self) -> Projector:
        """Return a projector with its chores: watchdog, tree and cleaner.

        Before it projects, it rebuilds rows that have the shape of an older release.
        """
        return Projector(
            self.milepost.store,
            self.read_model,
            self.milepost.mapper,
            self.workflows,
            chores=(
                Watchdog(self.milepost, self.read_model, self.clock),
                Grower(self.tree, batch=TILE),
                Cleaner(self.shadow),
            ),
            may_project=self.rebuild().is_current,
        )

    def rebuild(self) -> Rebuild:
        """Return what makes the read model anew."""
        return Rebuild(
            self.milepost.store,
            self.read_model,
            self.shadow,
            self.inspection,
            self.milepost.mapper,
            self.workflows,
        )

    @property
    def inspection(self) -> Inspection:
        """What verifying reads."""
        recorder: Any = self.milepost.recorder
        if self.settings.database == "sqlite":
            return SQLiteInspection(recorder)
        return PostgresInspection(recorder)

    def verification(
        self, checkpoints: Sequence[Checkpoint], report: Callable[[Finding], None]
    ) -> Verification:
        """Return what holds the log against its tree, these checkpoints, rows and keys."""
        return Verification(
            self.tree,
            self.inspection,
            self.read_model,
            self.milepost.mapper,
            self.workflows,
            checkpoints,
            report,
        )

    @property
    def evidence(self) -> Evidence:
        """What the tree proves."""
        return Evidence(self.tree)

    def close(self) -> None:
        """Close the connections."""
        self.milepost.close()


def open_services(settings: Settings, clock: Callable[[], datetime] = utc_now) -> Services:
    """Connect the parts; raise `InvalidDefinition` for unusable workflow definitions.

    The database is first asked when something needs it.
    """
    workflows = load(settings.workflows)
    make_home(settings)
    env = {"ORIGINATOR_ID_TYPE": "text", "CREATE_TABLE": "no", **settings.store}
    if settings.database == "sqlite":
        env |= {
            "PERSISTENCE_MODULE": "domain.log.sqlite",
            "SQLITE_DBNAME": str(settings.sqlite_file),
        }
    else:
        env |= {"PERSISTENCE_MODULE": "domain.log.postgres", "DATABASE_URL": settings.database_url}
    milepost = Milepost(env, clock=clock)
    recorder: Any = milepost.recorder
    read_model: ReadModel
    shadow: Shadow
    tree: TreeStore
    tokens: TokenStore
    if settings.database == "sqlite":
        read_model, shadow = SQLiteReadModel(recorder), SQLiteShadow(recorder)
        tree, tokens = SQLiteTree(recorder), SQLiteTokens(recorder.datastore)
    else:
        read_model, shadow = PostgresReadModel(recorder), PostgresShadow(recorder)
        tree = PostgresTree(recorder)
        tokens = PostgresTokens(recorder.datastore)
    milepost.when_committed(read_model.wake)
    return Services(
        settings=settings,
        milepost=milepost,
        read_model=read_model,
        shadow=shadow,
        reader=Reader(read_model, milepost.mapper),
        history=History(read_model, milepost.mapper),
        tree=tree,
        tokens=RememberedTokens(tokens),
        workflows=workflows,
        clock=clock,
    )
