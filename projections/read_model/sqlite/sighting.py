"""A job's row together with the events that the row has not folded yet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import LiteralString

from domain.job.keys.key import agent_key
from domain.log.parameters import as_json
from projections.read_model.sightings import (
    MAX_SIGHTED,
    MAX_SIGHTED_BYTES,
    Sighting,
    sightings,
)
from projections.read_model.sqlite.statements import Statements
from projections.read_model.tables import VIEWS

# A row of another shape is ignored: then the tail begins with the job's first event.
# The document may have megabytes, so it comes with the first event alone: not a hundred times.
SIGHT: dict[str, LiteralString] = {
    view: f"""
        SELECT wanted.job_id,
               iif(e.originator_version IS NULL OR NOT EXISTS (
                   SELECT 1 FROM milepost_events AS earlier
                    WHERE earlier.originator_id = wanted.job_id
                      AND earlier.originator_version > COALESCE(stored.version, 0)
                      AND earlier.originator_version < e.originator_version),
                   stored.document, NULL) AS document,
               e.originator_version, e.topic,
               iif(length(e.state) <= {MAX_SIGHTED_BYTES}, e.state, NULL), e.notification_id
          FROM (SELECT ? AS job_id) AS wanted
          LEFT JOIN milepost_{view} AS stored
            ON stored.job_id = wanted.job_id
           AND (SELECT shape FROM milepost_read_model WHERE tables = 'served') = ?
          LEFT JOIN milepost_events AS e
            ON e.originator_id = wanted.job_id
           AND e.originator_version > COALESCE(stored.version, 0)
           AND e.originator_version <= COALESCE(stored.version, 0) + {MAX_SIGHTED}
         ORDER BY e.originator_version
    """
    for view in VIEWS
}
SIGHT_AGENTS: LiteralString = (
    SIGHT["instances"]
    .replace("SELECT wanted.job_id,", "SELECT wanted.name, wanted.job_id,")
    .replace(
        "(SELECT ? AS job_id)",
        """(SELECT name, job_id FROM milepost_keys
             WHERE name IN (SELECT value FROM json_each(?)))""",
    )
    .replace("ORDER BY e.originator_version", "ORDER BY wanted.name, e.originator_version")
)


class Sightings(Statements):
    """Read a job that is never stale."""

    def sight(self, view: str, job_id: str) -> Sighting:
        """See `ReadModel.sight`."""
        return Sighting.of(self._rows(SIGHT[view], job_id, self.shape))

    def sight_agents(self, agent_ids: Sequence[str]) -> Sequence[Sighting | None]:
        """See `ReadModel.sight_agents`."""
        names = [agent_key(agent_id) for agent_id in agent_ids]
        return sightings(names, self._rows(SIGHT_AGENTS, as_json(names), self.shape))
