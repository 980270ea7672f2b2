"""Metrics for Prometheus. No metric has a job as a label."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress

from flask import Response
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    generate_latest,
    multiprocess,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from api.errors import MissingScope
from api.http.callers import access
from api.http.counting.counters import COUNTERS
from api.http.flask_side.blueprint import TEXT, Blueprint
from api.wiring import Services
from projections.reading.reader import NotRebuiltYet

bp = Blueprint("metrics", __name__, description="For Prometheus")


@bp.route("/metrics", operation="get_metrics")
@bp.needs("read")
@bp.response(200, TEXT, content_type="text/plain", description="The format of Prometheus")
def metrics() -> Response:
    """Show counters of this server and gauges of its database."""
    if access.principal().user_id is not None:
        raise MissingScope(
            "Metrics count the jobs of all users, but this token is bound to one user."
        )
    registry = CollectorRegistry()
    services = access.services()
    registry.register(_Database(services))
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        counters = b""
    else:
        counters = generate_latest(COUNTERS)
    return Response(generate_latest(registry) + counters, content_type=CONTENT_TYPE_LATEST)


class _Database(Collector):
    def __init__(self, services: Services) -> None:
        self._reader = services.reader
        self._evidence = services.evidence
        self._deadlines = services.deadlines
        self._now = services.now
        self._lost_ends = services.lost_ends

    def collect(self) -> Iterator[Metric]:
        """Yield the gauges of the database, which all workers share."""
        projection, counts = self._reader.status(), self._reader.counts()
        yield GaugeMetricFamily(
            "milepost_log_position", "Position of the newest event", projection.log_position
        )
        yield GaugeMetricFamily(
            "milepost_read_model_position",
            "Position up to which events are folded",
            projection.read_model_position,
        )
        yield GaugeMetricFamily(
            "milepost_read_model_lag_events", "Events not folded yet", projection.lag_events
        )
        yield GaugeMetricFamily(
            "milepost_events_set_aside",
            "Events that could not be folded (at most 100)",
            len(projection.set_aside),
        )
        yield GaugeMetricFamily(
            "milepost_log_lost_ends",
            "Lost ends of the log that no operator has acknowledged",
            len(self._lost_ends()),
        )
        growth = self._evidence.growth()
        yield GaugeMetricFamily("milepost_tree_size", "Events that are in the tree", growth.size)
        yield GaugeMetricFamily(
            "milepost_tree_lag_events",
            "Positions that the tree is behind the log",
            growth.lag(projection.log_position),
        )
        yield GaugeMetricFamily(
            "milepost_tree_stopped",
            "1 if the log lost or changed the tree's last event",
            float(growth.fault is not None),
        )
        note = self._deadlines()
        yield GaugeMetricFamily(
            "milepost_deadlines_held_jobs",
            "Jobs that fell silent at once, and whose timeouts wait for an operator or for a time",
            note.held.hold.silent if note.held.hold else 0,
        )
        yield GaugeMetricFamily(
            "milepost_deadlines_patient",
            "1 while no job is given up, because Milepost was away or a clock was set",
            float(note.presence.is_patient(self._now())),
        )
        jobs = GaugeMetricFamily("milepost_jobs", "Jobs by status", labels=["status"])
        for status, count in counts.items():
            jobs.add_metric([status], count)
        yield jobs
        needing = GaugeMetricFamily(
            "milepost_jobs_needing_attention",
            "Jobs that need somebody now, by their worst reason",
            labels=["reason"],
        )
        with suppress(NotRebuiltYet):  # the other metrics are needed all the same
            for reason, count in self._reader.attention_counts(self._now()).items():
                needing.add_metric([reason], count)
        yield needing
