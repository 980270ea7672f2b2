"""A job's row together with the events that the row has not folded yet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import LiteralString

from domain.job.keys.key import agent_key
from domain.log.parameters import as_json
from domain.log.postgres import PostgresRecorder
from projections.read_model.contract import SHAPE
from projections.read_model.postgres.lookup import Lookup, bigint, text
from projections.read_model.postgres.statements import Statements, of_shape
from projections.read_model.sightings import (
    MAX_SIGHTED,
    MAX_SIGHTED_BYTES,
    Sighting,
    sightings,
)

# A row of another shape is ignored: then the tail begins with the job's first event.
# The document may have megabytes, so it comes with the first event alone: not a hundred times.
SIGHT: dict[str, LiteralString] = {
    "instances": f"""
        SELECT wanted.job_id,
               CASE WHEN e.originator_version IS NULL OR NOT EXISTS (
                   SELECT 1 FROM milepost_events AS earlier
                    WHERE earlier.originator_id = wanted.job_id
                      AND earlier.originator_version > COALESCE(stored.version, 0)
                      AND earlier.originator_version < e.originator_version)
                   THEN stored.document END AS document,
               e.originator_version, e.topic, e.state, e.notification_id
          FROM (SELECT %s AS job_id) AS wanted
          LEFT JOIN LATERAL (
               SELECT version, document FROM milepost_instances
                WHERE job_id = wanted.job_id
                  AND (SELECT shape FROM milepost_read_model WHERE tables = 'served') = '{{shape}}'
               OFFSET 0) AS stored ON true
          LEFT JOIN LATERAL (
               SELECT originator_version, topic, notification_id,
                      CASE WHEN octet_length(state) <= {MAX_SIGHTED_BYTES} THEN state END AS state
                 FROM milepost_events
                WHERE originator_id = wanted.job_id
                  AND originator_version > COALESCE(stored.version, 0)
                ORDER BY originator_version LIMIT {MAX_SIGHTED}) AS e ON true
    """,
}
SIGHT["timelines"] = SIGHT["instances"].replace("instances", "timelines")
SIGHT_AGENTS: LiteralString = (
    SIGHT["instances"]
    .replace("SELECT wanted.job_id,", "SELECT wanted.name, wanted.job_id,")
    .replace(
        "(SELECT %s AS job_id)",
        """(SELECT asked.name, key.job_id
              FROM json_array_elements_text(%s::json) AS asked (name)
              JOIN LATERAL (
                   SELECT job_id FROM milepost_keys WHERE name = asked.name OFFSET 0
                   ) AS key ON true)""",
    )
)


class Sightings(Statements):
    """Read a job that is never stale."""

    def __init__(
        self, recorder: PostgresRecorder, shape: LiteralString = SHAPE, *, rebuilt: bool = False
    ) -> None:
        super().__init__(recorder, shape, rebuilt=rebuilt)
        columns = (text, text, bigint, text, bytes, bigint)
        self._sight = {
            view: Lookup(self._datastore, f"sight_{view}", of_shape(statement, shape), columns)
            for view, statement in SIGHT.items()
        }
        self._sight_agents = Lookup(
            self._datastore, "sight_agents", of_shape(SIGHT_AGENTS, shape), (text, *columns)
        )

    def sight(self, view: str, job_id: str) -> Sighting:
        """See `ReadModel.sight`."""
        return Sighting.of(self._sight[view].rows(job_id))

    def sight_agents(self, agent_ids: Sequence[str]) -> Sequence[Sighting | None]:
        """See `ReadModel.sight_agents`."""
        names = [agent_key(agent_id) for agent_id in agent_ids]
        return sightings(names, self._sight_agents.rows(as_json(names)))
