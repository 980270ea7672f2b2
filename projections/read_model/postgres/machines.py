"""Which jobs work or run on a machine."""

from __future__ import annotations

from collections.abc import Collection
from typing import LiteralString

from domain.log.parameters import as_json
from projections.read_model.machines import MOST_USES, MachineUse, MachineUses
from projections.read_model.postgres.statements import Statements

# Rows of another shape give no row at all.
SELECT_USES: LiteralString = f"""
    SELECT served.position, used.machine, used.job_id, used.user_id
      FROM milepost_read_model AS served
      LEFT JOIN (
           SELECT found.machine, found.job_id, stored.user_id
             FROM json_array_elements_text(%s::json) AS wanted (machine)
            CROSS JOIN LATERAL (
                  SELECT machine, job_id FROM milepost_machines
                   WHERE machine = wanted.machine ORDER BY job_id LIMIT {MOST_USES}) AS found
            CROSS JOIN LATERAL (
                  SELECT user_id FROM milepost_instances
                   WHERE job_id = found.job_id OFFSET 0) AS stored) AS used ON true
     WHERE served.tables = 'served' AND served.shape = %s
     ORDER BY used.machine, used.job_id
"""


class Machines(Statements):
    """Find the jobs of a machine."""

    def uses_of(self, machines: Collection[str]) -> MachineUses | None:
        """See `ReadModel.uses_of`."""
        rows = self._rows(SELECT_USES, as_json(list(machines)), self.shape)
        if not rows:
            return None
        position = max(row.pop("position") for row in rows)
        return MachineUses(position, [MachineUse(**row) for row in rows if row["machine"]])
