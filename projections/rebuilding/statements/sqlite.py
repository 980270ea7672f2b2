"""The SQL of a rebuild in SQLite; its twin is `postgres.py`."""

from __future__ import annotations

from typing import Final, LiteralString

from projections.read_model.tables import TABLES, VIEWS

# A generation number that no earlier tables had.
BEGIN_EDITION: Final = """
    INSERT INTO milepost_read_model
    SELECT 'rebuilt', ?, 0, MAX(generation) + 1 FROM milepost_read_model WHERE TRUE
    ON CONFLICT (tables) DO UPDATE
       SET shape = excluded.shape, position = 0, generation = excluded.generation
RETURNING generation
"""
BEGIN_PAST: Final = """
    INSERT INTO milepost_read_model
    SELECT 'past', shape, ?, generation FROM milepost_read_model WHERE tables = 'rebuilt'
    ON CONFLICT (tables) DO UPDATE
       SET shape = excluded.shape, position = excluded.position, generation = excluded.generation
"""
SELECT_PAST: Final = "SELECT position FROM milepost_read_model WHERE tables = 'past'"
REBUILT_INSTANCES: Final[LiteralString] = TABLES.renamed("milepost_instances")
SELECT_LAST: Final = f"SELECT job_id FROM {REBUILT_INSTANCES} ORDER BY job_id DESC LIMIT 1"
END_PAST: Final = """
    UPDATE milepost_read_model AS rebuilt SET position = past.position
      FROM milepost_read_model AS past
     WHERE rebuilt.tables = 'rebuilt' AND past.tables = 'past'
       AND past.generation = rebuilt.generation
       AND rebuilt.generation = ? AND rebuilt.position = ? AND past.position = ?
"""
FORGET_PAST: Final = "DELETE FROM milepost_read_model WHERE tables = 'past'"
END_EDITION: Final = "DELETE FROM milepost_read_model WHERE tables IN ('rebuilt', 'past')"
# The row with the generation number of dropped tables stays until new tables have a higher one.
# Otherwise a process that still folds into the dropped tables would write into the new ones.
FORGET_DROPPED: Final = """
    DELETE FROM milepost_read_model
     WHERE tables = 'dropped'
       AND EXISTS (SELECT 1 FROM milepost_read_model WHERE tables = 'rebuilt')
"""
DROP_EDITION: Final = "UPDATE milepost_read_model SET tables = 'dropped' WHERE tables = 'rebuilt'"
# SQLite drops a trigger silently with its table. Views and foreign keys refer to a table by its
# name, so they refer to the new table after the swap.
SELECT_TRIGGER: Final = """
    SELECT 'trigger ' || name, tbl_name FROM sqlite_master
     WHERE type = 'trigger' AND tbl_name IN (SELECT value FROM json_each(?)) LIMIT 1
"""
SELECT_EXISTING: Final = """
    SELECT name FROM sqlite_master
     WHERE type = 'table' AND name IN (SELECT value FROM json_each(?))
"""
# Dropping a big table holds the write lock for long. So a table is renamed first, then emptied in
# slices, then dropped.
DROPPED: Final = "milepost_dropped_"
SELECT_DROPPED: Final = f"""
    SELECT name, (SELECT group_concat(name) FROM (
                  SELECT name FROM pragma_table_info(t.name) WHERE pk ORDER BY pk)) AS key
      FROM sqlite_master AS t WHERE type = 'table' AND name GLOB '{DROPPED}*'
"""
# The projector updates the same row with each batch: after the swap it sees a new generation.
SERVE: Final = """
    UPDATE milepost_read_model
       SET (shape, position, generation) = (
           SELECT shape, position, generation FROM milepost_read_model WHERE tables = 'rebuilt')
     WHERE tables = 'served'
       AND NOT EXISTS (SELECT 1 FROM milepost_read_model WHERE tables = 'past')
       AND EXISTS (SELECT 1 FROM milepost_read_model AS rebuilt
                    WHERE rebuilt.tables = 'rebuilt' AND rebuilt.shape = ?
                      AND (rebuilt.position >= milepost_read_model.position
                           OR milepost_read_model.position > (
                              SELECT COALESCE(MAX(notification_id), 0) FROM milepost_events)))
"""
SELECT_ROWS: Final[dict[str, LiteralString]] = {
    view: TABLES.renamed(
        f"SELECT job_id, version, document FROM milepost_{view}"
        " WHERE job_id > ? ORDER BY job_id LIMIT ?"
    )
    for view in VIEWS
}
