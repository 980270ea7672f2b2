"""Counters of this server, for Prometheus. No counter has a job as a label."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Final

from prometheus_client import CollectorRegistry, Counter, disable_created_metrics, values
from werkzeug.exceptions import RequestEntityTooLarge

from api import errors as asked
from api.http.counting.shared_counts import SharedValue
from domain import errors as domain
from domain.job.runs.orders import Order
from domain.writing.batch import Receipt

if "PROMETHEUS_MULTIPROC_DIR" in os.environ:  # set by operators of another WSGI server
    # Asking for the process id at each count is a system call.
    process_id = cache(os.getpid)
    os.register_at_fork(after_in_child=process_id.cache_clear)
    values.ValueClass = values.MultiProcessValue(process_id)  # type: ignore[no-untyped-call]
else:
    values.ValueClass = SharedValue
# All workers together count since the server's start, so no single counter's start says anything.
disable_created_metrics()  # type: ignore[no-untyped-call]
COUNTERS: Final = CollectorRegistry()
_CALLBACKS: Final = Counter(
    "milepost_callbacks", "Callbacks answered with a receipt", ["outcome"], registry=COUNTERS
)
RECORDED, DUPLICATE = _CALLBACKS.labels("recorded"), _CALLBACKS.labels("duplicate")

REASONS: Final[dict[type[Exception], str]] = {
    RequestEntityTooLarge: "too_large",
    asked.InvalidSignature: "invalid_signature",
    asked.UndatedSignature: "undated_signature",
    asked.SharedSecretOff: "shared_secret_off",
    domain.NotItsJob: "not_its_job",
    asked.InvalidJSON: "invalid_json",
    asked.MissingJobId: "missing_job_id",
    asked.MissingStatusOrType: "missing_status_or_type",
    asked.UnknownStatus: "unknown_status",
    asked.InvalidFields: "invalid_fields",
    domain.CallbackConflict: "callback_conflict",
}
"""Why a callback is refused, as words that are published and never change."""
_REFUSED: Final = Counter(
    "milepost_callbacks_refused", "Callbacks refused, by reason", ["reason"], registry=COUNTERS
)
REFUSED: Final = {kind: _REFUSED.labels(reason) for kind, reason in REASONS.items()}

_TURNED_AWAY: Final = Counter(
    "milepost_connections_turned_away",
    "Connections refused, or ended before their time, because of a bound",
    ["reason"],
    registry=COUNTERS,
)
TURNED_AWAY: Final = {
    reason: _TURNED_AWAY.labels(reason)
    for reason in ("per_address", "full", "displaced", "unfinished", "unsent")
}

_LEFT_OUT: Final = Counter(
    "milepost_log_lines_left_out",
    "Log lines that strangers and senders can cause, and that were left out, by reason",
    ["reason"],
    registry=COUNTERS,
)
LEFT_OUT: Final = {
    reason: _LEFT_OUT.labels(reason)
    for reason in (
        *REASONS.values(),
        "odd_callback",
        "sender_slip",
        "misdirected",
        "queue_full",
        "store_unavailable",
        "not_durable",
        "sign_in",
    )
}

_COMMANDS: Final = Counter(
    "milepost_commands",
    "Commands of people over HTTP: recorded, unchanged (the job was so already) or refused",
    ["command", "outcome"],
    registry=COUNTERS,
)
for _command in ("fail", "cancel", "retry", "stop", "stopped"):
    for _outcome in ("recorded", "unchanged", "refused"):
        _COMMANDS.labels(_command, _outcome)


@contextmanager
def counted(command: Order) -> Iterator[Callable[[Receipt], None]]:
    """Count a command by the receipt that the caller passes on, or by its refusal."""

    def count(receipt: Receipt) -> None:
        outcome = "unchanged" if receipt.position is None else "recorded"
        _COMMANDS.labels(command, outcome).inc()

    try:
        yield count
    except domain.Refused:
        _COMMANDS.labels(command, "refused").inc()
        raise
