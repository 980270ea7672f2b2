"""Wiring: the services over one database, for the web, the command line and tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from api.databases import kit_over, log_in
from api.links import Links
from api.recent_bodies import RecentBodies
from api.senders.signing_key import SigningKey
from api.senders.trusted import Senders
from api.sessions.remembered import RememberedSessions
from api.settings.home import make_home
from api.settings.settings import Settings
from api.settings.variables import InvalidSetting
from api.tokens.remembered import RememberedTokens
from domain.application import Milepost
from domain.evidence.checkpoint import Checkpoint
from domain.evidence.signing_keys import NAMELESS, PrivateKey, PublicKey
from domain.job.mandate import Mandate
from domain.log.clock import utc_now
from domain.log.lost_end.contract import Loss
from domain.log.lost_end.folder import MemoryFolder
from domain.log.schema.steps import Schema
from domain.log.store import translated
from domain.log.surroundings.contract import Surroundings
from domain.workflows.definition import Workflows
from domain.workflows.files import load
from projections.chore import Chore
from projections.projecting.follower import Follower
from projections.projecting.projector import Projector
from projections.reactions.deadlines import DeadlineWatch, Note, noted
from projections.read_model.contract import REFUSED, RESUMED, ReadModel
from projections.reading.history import History
from projections.reading.reader import Reader
from projections.reading.used_definitions import UsedDefinitions, warning_of
from projections.rebuilding.cleaner import Cleaner
from projections.rebuilding.contract import Shadow
from projections.rebuilding.rebuild import Rebuild
from projections.tree.contract import TreeStore
from projections.tree.grower import BESIDE_PROJECTING, Grower
from projections.tree.proofs import Evidence
from projections.verification.findings import Finding
from projections.verification.inspection.contract import Inspection
from projections.verification.run import Verification


class Services(msgspec.Struct, frozen=True):
    """The services over one database. `clock` is this host's: of tokens and of signatures."""

    settings: Settings
    milepost: Milepost
    schema: Schema[Any]
    read_model: ReadModel
    shadow: Shadow
    reader: Reader
    history: History
    tree: TreeStore
    inspection: Inspection
    surroundings: Surroundings
    tokens: RememberedTokens
    sessions: RememberedSessions
    links: Links
    senders: Senders
    workflows: Workflows
    definitions: UsedDefinitions
    bodies: RecentBodies = msgspec.field(default_factory=RecentBodies)
    clock: Callable[[], datetime] = utc_now
    is_draining: Callable[[], bool] = lambda: False

    def prepare(self) -> None:
        """Apply the missing schema steps, and begin the rows and the tree.

        Raises `StoreUnavailable`, `SchemaBehind` if this account may not apply the steps,
        `RightsLacking` if it may not write the tables, or `TablesAltered` if somebody has changed
        them so that Milepost would not be right.
        """
        with translated():
            self.schema.apply()
            self.schema.check_rights()
            self.schema.check_tables()
            self.read_model.prepare()
            self.tree.prepare()

    def has_store(self) -> bool:
        """Tell whether the database has any table of Milepost; write nothing."""
        with translated():
            return self.schema.has_any_table()

    def warnings(self) -> list[str]:
        """Return what an operator should know at the start, a sentence each.

        Raises `StoreUnavailable`.
        """
        warnings = [warning_of(ref) for ref in self.definitions.changed(self.workflows)]
        with translated():
            around = self.surroundings.held_back(), self.surroundings.open_to_all()
        return [*self.settings.doubts, *warnings, *filter(None, around)]

    def now(self) -> datetime:
        """Return the time of the store's clock, as far as it is known; this never blocks.

        All that is shown of silence and duration counts by it. `clock` is this host's.
        """
        return self.milepost.store.about_now()

    def deadlines(self) -> Note:
        """Return what the watch over deadlines found out; raise `StoreUnavailable`."""
        with translated():
            return noted(self.read_model)

    def too_few_connections(self) -> list[str]:
        """Return a warning if the database allows fewer connections than this server may hold.

        Raises `StoreUnavailable`.
        """
        with translated():
            allowed = self.surroundings.connections_allowed()
        if allowed is None or allowed >= (most := self.settings.most_database_connections):
            return []
        return [
            f"the database allows this account {allowed} connections, and this server may hold "
            f"{most}: set MILEPOST_DATABASE_CONNECTIONS lower, or allow more"
        ]

    def resume_deadlines(self) -> None:
        """End the hold of timeouts that there is; raise `StoreUnavailable`."""
        with translated():
            self.read_model.keep_note(RESUMED, self.milepost.store.now().isoformat())

    def lost_ends(self) -> Sequence[Loss]:
        """Return the lost ends of the log that nobody has acknowledged.

        Raises `StoreUnavailable`.
        """
        with translated():
            losses = self.milepost.store.losses()
        return [loss for loss in losses if loss.acknowledged_at is None]

    def check(self) -> None:
        """Raise `SchemaBehind` if the database lacks a table or a column; write nothing."""
        with translated():
            self.schema.check()

    def projector(self, *further: Chore) -> Projector:
        """Return a projector with its chores: deadlines, the log's end, tree, cleaner and others.

        Before it projects, the projector rebuilds rows that have the shape of an older release.
        """
        return Projector(
            self.milepost.store,
            self.read_model,
            self.milepost.mapper,
            self.workflows,
            chores=(
                DeadlineWatch(self.milepost, self.read_model, self.workflows),
                Follower(self.milepost.end),
                Grower(self.tree, batch=BESIDE_PROJECTING),
                Cleaner(self.shadow),
                *further,
            ),
            may_project=self.rebuild().is_current,
        )

    def rebuild(self) -> Rebuild:
        """Return the rebuild of the read model."""
        return Rebuild(
            self.milepost.store,
            self.read_model,
            self.shadow,
            self.inspection,
            self.milepost.mapper,
            self.workflows,
        )

    def verification(
        self, checkpoints: Sequence[Checkpoint], report: Callable[[Finding], None]
    ) -> Verification:
        """Return the verification of the log against its tree, these checkpoints, rows and keys."""
        return Verification(
            self.tree,
            self.inspection,
            self.read_model,
            self.milepost.mapper,
            self.workflows,
            checkpoints,
            report,
        )

    def signers(self) -> list[PrivateKey]:
        """Return the keys that sign for this log; the first one's name is the log's origin.

        A key without a name of its own signs under the log's origin, and under its old name for
        who trusts that. Raises `StoreUnavailable`.
        """
        with translated():
            origin = self.tree.origin()
        keys: list[PrivateKey] = []
        for key in self.settings.signers:
            keys += [key.named(origin), key] if origin and key.name == NAMELESS else [key]
        return keys

    def published(self) -> list[PublicKey]:
        """Return the public keys that others need to check this log's checkpoints."""
        keys = [key.public for key in self.signers()]
        return [key for key in keys if key.name == keys[0].name]

    def trusted(self) -> list[PublicKey]:
        """Return the keys whose checkpoints of this log are trusted, its own and the configured."""
        with translated():
            origin = self.tree.origin()
        keys = self.settings.trusted
        named = [key.named(origin) for key in keys if origin and key.name == NAMELESS]
        return [*named, *keys]

    @property
    def evidence(self) -> Evidence:
        """The proofs of the tree."""
        return Evidence(self.tree)

    def close(self) -> None:
        """Close the connections."""
        self.tokens.close()
        self.sessions.close()
        self.milepost.close()


def open_services(
    settings: Settings,
    clock: Callable[[], datetime] | None = None,
    *,
    only_looks: bool = False,
) -> Services:
    """Return the connected services; raise `InvalidDefinition` for an unusable workflow definition.

    This opens no connection to the database: the first statement does. With `only_looks`, this
    makes no folder and no file, and the services write nothing.
    """
    workflows = load(settings.workflows)
    if not only_looks:
        make_home(settings)
    log = log_in(settings, only_looks=only_looks)
    env = {"ORIGINATOR_ID_TYPE": "text", "CREATE_TABLE": "no", **settings.store, **log}
    milepost = Milepost(env, clock=clock, workflows=workflows)
    kit = kit_over(milepost.recorder)
    milepost.end.keep_in(
        MemoryFolder(settings.home / "seen", settings.lasting_database, kit.tree.origin)
    )
    milepost.committing.when_committed(kit.read_model.wake)
    milepost.committing.when_back(lambda now: kit.read_model.keep_note(REFUSED, now.isoformat()))
    return Services(
        settings=settings,
        milepost=milepost,
        schema=kit.schema,
        read_model=kit.read_model,
        shadow=kit.shadow,
        reader=Reader(kit.read_model, milepost.mapper),
        history=History(kit.read_model, milepost.mapper),
        tree=kit.tree,
        inspection=kit.inspection,
        surroundings=kit.surroundings,
        tokens=RememberedTokens(kit.tokens),
        sessions=RememberedSessions(kit.sessions),
        links=Links(settings.link_secrets, settings.admin_token),
        senders=senders_of(settings, workflows),
        workflows=workflows,
        definitions=UsedDefinitions(kit.read_model),
        clock=clock or utc_now,
    )


def senders_of(settings: Settings, workflows: Workflows) -> Senders:
    """Return whose callbacks are taken; raise `InvalidSetting` for an unknown workflow."""
    known = {workflow.name for workflow in workflows}
    named = []
    for sender in settings.named_senders:
        for name in sender.workflows or ():
            if name not in known:
                raise InvalidSetting(
                    f"MILEPOST_SENDERS: {sender.name}: there is no workflow {name!r}"
                )
        mandate = Mandate(workflows=_each(sender.workflows), users=_each(sender.users))
        kind = f"{sender.name}:"
        named += [SigningKey(secret, mandate, kind=kind) for secret in sender.secrets]
    return Senders(
        settings.callback_secrets,
        settings.job_key_secrets,
        takes_shared=settings.takes_shared_secret,
        dated=settings.dated_signatures,
        named=named,
    )


def _each(given: tuple[str, ...] | None) -> frozenset[str] | None:
    return None if given is None else frozenset(given)
