"""Verify everything, or one job; an interrupted verification can be resumed."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec

from domain.errors import JobNotFound, MilepostError
from domain.evidence.checkpoint import Checkpoint
from domain.log.mapper import JobEventMapper
from domain.log.store import translated
from domain.workflows.definition import Workflows
from projections.read_model.contract import ReadModel
from projections.read_model.tables import VIEWS
from projections.tree.contract import Head, TreeBroken, TreeStore
from projections.verification.findings import Finding, Report
from projections.verification.inspection.contract import Inspection
from projections.verification.job_checks import histories
from projections.verification.job_checks.events_from_keys import Keys
from projections.verification.job_checks.histories import Histories
from projections.verification.tree_checks import leaves
from projections.verification.tree_checks.checkpoints import check_checkpoints
from projections.verification.tree_checks.inner_tiles import check_head, check_inner
from projections.verification.tree_checks.leaves import Leaves
from projections.verification.tree_checks.proofs_of_one_job import OneJob
from projections.verification.tree_checks.suspects import Suspects

Advance = Callable[[int], object]
"""Takes the number of events that were read since the call before. Each event is read twice."""


class OtherVerification(MilepostError):
    """The interrupted verification was of something else: start anew, without --resume."""


class State(msgspec.Struct, frozen=True):
    """How far a verification is, so that another process can go on with it.

    `head` is the tree's size and last position when the verification began, `upto` the log's last
    position then. `asked` names the database and the checkpoints by size and root. `key` is the
    last name that was checked.
    """

    began_at: datetime
    asked: tuple[str, ...]
    head: Head
    upto: int
    leaves: leaves.Progress = leaves.Progress()
    are_leaves_done: bool = False
    histories: histories.Progress = histories.Progress()
    are_histories_done: bool = False
    key: str = ""
    findings: int = 0


class Summary(msgspec.Struct, frozen=True):
    """What was verified. `root` is the root, in base64, of a tree of the log's `events` events.

    Of these the tree had `tree_size`; it had not reached the others yet. `rows_compared` is False
    while rows of another release's shape are served. `set_aside` counts events that cannot
    be folded, and are known for it.
    """

    events: int
    jobs: int
    position: int
    root: str
    tree_size: int
    checkpoints: int
    set_aside: int
    rows_compared: bool
    findings: int
    began_at: datetime


class Verification:
    """Reads the log once in order of position and once job by job, and writes nothing.

    It may run beside a busy server: events that are appended meanwhile are not verified.
    """

    def __init__(
        self,
        tree: TreeStore,
        inspection: Inspection,
        read_model: ReadModel,
        mapper: JobEventMapper,
        workflows: Workflows,
        checkpoints: Sequence[Checkpoint],
        report: Report,
    ) -> None:
        self._tree = tree
        self._inspection = inspection
        self._read_model = read_model
        self._mapper = mapper
        self._workflows = workflows
        self._checkpoints = checkpoints
        self._report = report
        self._found = 0
        self._suspects = Suspects(self._tell)
        self._leaves: Leaves | None = None
        self._histories: Histories | None = None
        self._keys: Keys | None = None

    def begin(self, database: str, now: datetime) -> State:
        """Return the state of a verification that begins now; raise `StoreUnavailable`."""
        with translated():
            # The tree is read before the log, so that the log is at least as long.
            head = self._head()
            upto = max(head.position, self._read_model.log.newest_position())
        return State(now, self._asked(database), head, upto)

    def run(self, state: State, database: str, advance: Advance) -> Summary:
        """Verify from this state on; raise `StoreUnavailable` or `OtherVerification`."""
        if state.asked != self._asked(database):
            raise OtherVerification
        self._state, self._found = state, state.findings
        with translated():
            self._check_leaves(advance)
            self._check_histories(advance)
            self._check_keys()
        return self._summary()

    @property
    def state(self) -> State:
        """How far the verification is. Reports first what it has found and not reported yet."""
        self._suspects.report_all()
        progress = self._leaves.progress if self._leaves else self._state.leaves
        jobs = self._histories.progress if self._histories else self._state.histories
        return msgspec.structs.replace(
            self._state,
            leaves=progress,
            are_leaves_done=self._state.are_leaves_done,
            histories=jobs,
            key=self._keys.after if self._keys else self._state.key,
            findings=self._found,
        )

    def one_job(self, job_id: str, now: datetime) -> Summary:
        """Verify one job: its history, rows, snapshots, keys, and proofs in tree and checkpoints.

        Raises `JobNotFound`, or `StoreUnavailable`.
        """
        with translated():
            self._state = State(now, (), self._head(), self._read_model.log.newest_position())
            try:
                one = OneJob(
                    self._tree,
                    self._inspection,
                    self._state.head,
                    self._checkpoints,
                    self._suspects,
                    self._tell,
                )
                one.check_size()
                one.check(job_id)
            except TreeBroken as error:
                self._tell(
                    Finding(kind="tile", expected="a tree that can be read", found=str(error))
                )
            check_head(self._tree, self._inspection, self._state.head, self._tell)
            self._suspects.report_all()
            self._histories = self._made_histories()
            events = self._histories.check_one(job_id)
            if not events and not self._has_rows(job_id):
                raise JobNotFound(f"There is no job {job_id!r}.")
        return msgspec.structs.replace(self._summary(), events=events, root="")

    def _has_rows(self, job_id: str) -> bool:
        return any(self._inspection.rows(view, [job_id]) for view in VIEWS)

    def _check_leaves(self, advance: Advance) -> None:
        if not self._state.are_leaves_done:
            state, asked = self._state, [checkpoint.size for checkpoint in self._checkpoints]
            self._leaves = Leaves(
                self._tree,
                self._inspection,
                state.head,
                state.upto,
                asked,
                self._suspects,
                self._tell,
                state.leaves,
            )
            self._leaves.check(advance)
            self._state = msgspec.structs.replace(state, leaves=self._leaves.progress)
            check_inner(self._tree, self._state.leaves.sums, self._tell)
            check_head(self._tree, self._inspection, state.head, self._tell)
            roots = self._state.leaves.roots
            check_checkpoints(roots, self._checkpoints, self._tree, self._tell)
            self._suspects.report_all()
            self._state = msgspec.structs.replace(self._state, are_leaves_done=True)

    def _check_histories(self, advance: Advance) -> None:
        self._histories = self._made_histories()
        if not self._state.are_histories_done:
            self._histories.check(advance)
            progress = self._histories.progress
            self._state = msgspec.structs.replace(
                self._state, histories=progress, are_histories_done=True
            )

    def _made_histories(self) -> Histories:
        return Histories(
            self._inspection,
            self._read_model,
            self._mapper,
            self._workflows,
            self._suspects,
            self._state.upto,
            self._tell,
            self._state.histories,
        )

    def _check_keys(self) -> None:
        state = self._state
        self._keys = Keys(
            self._tree, self._inspection, self._mapper, state.upto, self._tell, state.key
        )
        self._keys.check()

    def _head(self) -> Head:
        try:
            return self._tree.head()
        except TreeBroken:
            return Head()  # `check_head` reports it

    def _summary(self) -> Summary:
        assert self._histories is not None  # the histories are checked by now
        state, frontier = self._state, self._state.leaves.roots.frontier
        return Summary(
            events=frontier.size,
            jobs=self._histories.progress.jobs,
            position=state.upto,
            root=b64encode(frontier.root).decode(),
            tree_size=state.head.size,
            checkpoints=len(self._checkpoints),
            set_aside=self._histories.progress.set_aside,
            rows_compared=self._histories.are_rows_comparable,
            findings=self._found,
            began_at=state.began_at,
        )

    def _tell(self, finding: Finding) -> None:
        self._found += 1
        self._report(finding)

    def _asked(self, database: str) -> tuple[str, ...]:
        signed = (f"{each.size} {b64encode(each.root).decode()}" for each in self._checkpoints)
        return database, *sorted(signed)
