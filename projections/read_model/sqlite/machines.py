"""Which jobs work or run on a machine."""

from __future__ import annotations

from collections.abc import Collection
from typing import LiteralString

from domain.log.parameters import as_json
from projections.read_model.machines import MOST_USES, MachineUse, MachineUses
from projections.read_model.sqlite.statements import Statements

# Rows of another shape give no row at all.
SELECT_USES: LiteralString = f"""
    SELECT served.position, used.machine, used.job_id, used.user_id
      FROM milepost_read_model AS served
      LEFT JOIN (
           SELECT found.machine, found.job_id, stored.user_id FROM json_each(?) AS wanted
             JOIN milepost_machines AS found
               ON found.machine = wanted.value
              AND found.job_id IN (SELECT job_id FROM milepost_machines
                                    WHERE machine = wanted.value ORDER BY job_id LIMIT {MOST_USES})
             JOIN milepost_instances AS stored ON stored.job_id = found.job_id) AS used ON true
     WHERE served.tables = 'served' AND served.shape = ?
     ORDER BY used.machine, used.job_id
"""


class Machines(Statements):
    """Find the jobs of a machine."""

    def uses_of(self, machines: Collection[str]) -> MachineUses | None:
        """See `ReadModel.uses_of`."""
        rows = self._rows(SELECT_USES, as_json(list(machines)), self.shape)
        if not rows:
            return None
        found = [MachineUse(*use) for _, *use in rows if use[0] is not None]
        return MachineUses(rows[0]["position"], found)
