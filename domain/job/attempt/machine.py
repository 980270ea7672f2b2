"""What callbacks say of an attempt's machine and run, merged: the latest value of each field."""

from __future__ import annotations

from typing import Any

import msgspec

from domain.job.attempt.state import Attempt, OtherMachine, ReportedValue
from domain.job.events import Machine, MetadataReported, StatusReported

MAX_MACHINES = 20
"""An attempt's state holds at most this many machines."""


def with_machine(attempt: Attempt, fact: Machine) -> Attempt:
    """Return the attempt with what a callback says of its machine and its run."""
    if not _may_add(attempt, fact):
        return _with_named(attempt, fact)
    changed: dict[str, Any] = {}
    if run_id := fact.workflow_run_id:
        _change(changed, attempt, "run_id", ReportedValue(run_id, fact.occurred_at))
        if fact.run_attempt is not None and attempt.run_attempt is None:
            changed["run_attempt"] = fact.run_attempt
        if fact.server_id and not attempt.claims_machine:
            changed["claims_machine"] = True
    runs = _says_running(fact)
    for field, value in (
        ("server_id", fact.server_id),
        ("server_ip", fact.server_ip),
        ("tailscale_ip", fact.tailscale_ip),
    ):
        if value:
            _change(changed, attempt, field, ReportedValue(value, fact.occurred_at, runs))
    attempt = _with_named(attempt, fact)
    return msgspec.structs.replace(attempt, **changed) if changed else attempt


def with_other(attempt: Attempt, server_id: str, **changed: Any) -> Attempt:
    """Return the attempt with a change of one of its several machines."""
    machines = tuple(
        msgspec.structs.replace(each, **changed) if each.server_id == server_id else each
        for each in attempt.machines
    )
    return msgspec.structs.replace(attempt, machines=machines)


def _with_named(attempt: Attempt, fact: Machine) -> Attempt:
    """Return the attempt with what this word says of one of its several machines."""
    server_id, known = fact.server_id, attempt.server_id
    if not server_id:
        return attempt
    machines, is_own = attempt.machines, _is_its_own(attempt, fact)
    if not machines and (known.value == server_id if known else is_own):
        return attempt  # almost every callback names the one machine
    if not any(each.server_id == server_id for each in machines):
        if known and not any(each.server_id == known.value for each in machines):
            failed = attempt.status == "failed" and not known.runs
            machines = (*machines, OtherMachine(known.value, runs=known.runs, failed=failed))
        fresh = OtherMachine(server_id, unclaimed=not is_own)
        machines = (*machines, fresh)[:MAX_MACHINES]
    machines = tuple(
        _said(each, fact, is_own) if each.server_id == server_id else each for each in machines
    )
    return msgspec.structs.replace(attempt, machines=machines)


def _said(machine: OtherMachine, fact: Machine, is_own: bool) -> OtherMachine:
    fails = isinstance(fact, StatusReported) and fact.status in ("failed", "cancelled")
    runs = machine.runs or _says_running(fact)
    return msgspec.structs.replace(
        machine,
        runs=runs,
        failed=not runs and (machine.failed or fails),
        unclaimed=machine.unclaimed and not (runs or fails or is_own),
    )


def _change(changed: dict[str, Any], attempt: Attempt, field: str, new: ReportedValue) -> None:
    old: ReportedValue | None = getattr(attempt, field)
    if old == new:
        return  # almost every callback repeats what is known
    newest = _later(old, new)
    if newest is not old:
        changed[field] = newest


def _may_add(attempt: Attempt, fact: Machine) -> bool:
    # After the end, only the run that ended the attempt may add to its machine. A word that names
    # another run is of the first release, where it counted.
    if attempt.final is None or attempt.final.inferred or attempt.run_id is None:
        return True
    return fact.workflow_run_id is not None


def _is_its_own(attempt: Attempt, fact: Machine) -> bool:
    # After the end, a word without a run may be that of the next run.
    return attempt.final is None or fact.workflow_run_id is not None


def _says_running(fact: Machine) -> bool:
    # `running` with a whole machine is recorded as `MetadataReported` first.
    if isinstance(fact, MetadataReported):
        return True
    return isinstance(fact, StatusReported) and fact.status == "running"


def _later(old: ReportedValue | None, new: ReportedValue) -> ReportedValue:
    if old and old.runs != new.runs:
        return old if old.runs else new
    if old is None or not (old.occurred_at and new.occurred_at):
        return new
    return max(old, new, key=lambda word: (word.occurred_at, word.value))
