"""The SQL of a rebuild in PostgreSQL; its twin is `sqlite.py`."""

from __future__ import annotations

from typing import Final, LiteralString

from projections.read_model.tables import TABLES, VIEWS

DROP: Final[LiteralString] = f"DROP TABLE IF EXISTS {', '.join(TABLES.names)}"
# A generation number that no earlier tables had.
BEGIN_EDITION: Final = """
    INSERT INTO milepost_read_model
    SELECT 'rebuilt', %s, 0, MAX(generation) + 1 FROM milepost_read_model
    ON CONFLICT (tables) DO UPDATE
       SET shape = excluded.shape, position = 0, generation = excluded.generation
"""
BEGIN_PAST: Final = """
    INSERT INTO milepost_read_model
    SELECT 'past', shape, %s, generation FROM milepost_read_model WHERE tables = 'rebuilt'
    ON CONFLICT (tables) DO UPDATE
       SET shape = excluded.shape, position = excluded.position, generation = excluded.generation
"""
SELECT_PAST: Final = "SELECT position FROM milepost_read_model WHERE tables = 'past'"
SELECT_LAST: Final[LiteralString] = TABLES.renamed(
    "SELECT job_id FROM milepost_instances ORDER BY job_id DESC LIMIT 1"
)
END_PAST: Final = """
    UPDATE milepost_read_model AS rebuilt SET position = past.position
      FROM milepost_read_model AS past
     WHERE rebuilt.tables = 'rebuilt' AND past.tables = 'past'
       AND past.generation = rebuilt.generation
       AND rebuilt.generation = %s AND rebuilt.position = %s AND past.position = %s
"""
FORGET_PAST: Final = "DELETE FROM milepost_read_model WHERE tables = 'past'"
END_EDITION: Final = "DELETE FROM milepost_read_model WHERE tables IN ('rebuilt', 'past')"
# The row with the generation number of dropped tables stays until new tables have a higher one.
# Otherwise a process that still folds into the dropped tables would write into the new ones.
FORGET_DROPPED: Final = """
    DELETE FROM milepost_read_model
     WHERE tables = 'dropped'
       AND EXISTS (SELECT FROM milepost_read_model WHERE tables = 'rebuilt')
"""
DROP_EDITION: Final = "UPDATE milepost_read_model SET tables = 'dropped' WHERE tables = 'rebuilt'"
# Objects that make DROP fail, and triggers and policies, which DROP removes silently. Parts of a
# table, such as its indexes and its row type, do not count.
SELECT_DEPENDENTS: Final = """
    WITH served AS (
         SELECT oid, oid::regclass::text AS name, reltype FROM pg_class
          WHERE oid = ANY (
                SELECT to_regclass(name)::oid FROM pg_catalog.unnest(%s::text[]) AS name)),
    part AS (
         SELECT 'pg_class'::regclass::oid AS classid, oid, name FROM served
          UNION ALL
         SELECT 'pg_class'::regclass::oid, indexrelid, name
           FROM pg_index JOIN served ON oid = indrelid
          UNION ALL
         SELECT 'pg_type'::regclass::oid, pg_type.oid, name
           FROM pg_type JOIN served ON pg_type.oid = reltype OR typelem = reltype)
    SELECT CASE WHEN rule.oid IS NULL
                THEN pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid)
                ELSE pg_catalog.pg_describe_object('pg_class'::regclass::oid, rule.ev_class, 0)
           END AS what, name
      FROM pg_depend AS d
      JOIN part ON part.classid = d.refclassid AND part.oid = d.refobjid
      LEFT JOIN pg_rewrite AS rule ON d.classid = 'pg_rewrite'::regclass::oid AND rule.oid = d.objid
     WHERE d.deptype = 'n'
       AND NOT EXISTS (
           SELECT FROM pg_depend AS own
             JOIN served ON own.refclassid = 'pg_class'::regclass::oid AND own.refobjid = served.oid
            WHERE own.classid = d.classid AND own.objid = d.objid AND own.deptype IN ('a', 'i'))
     UNION ALL
    SELECT 'trigger ' || tgname::text, name FROM pg_trigger JOIN served ON served.oid = tgrelid
     WHERE NOT tgisinternal
     UNION ALL
    SELECT 'policy ' || polname::text, name FROM pg_policy JOIN served ON served.oid = polrelid
     ORDER BY 1 LIMIT 1
"""
# Every role keeps its rights on the table that replaces a served one.
SAME_RIGHTS: Final = """
    SELECT pg_catalog.format('GRANT %%s ON %%I TO %%s', acl.privilege_type, rebuilt,
                  CASE acl.grantee WHEN 0 THEN 'PUBLIC'
                  ELSE pg_catalog.quote_ident(pg_get_userbyid(acl.grantee)) END) AS statement
      FROM unnest(%s::text[], %s::text[]) AS t (served, rebuilt)
      JOIN pg_class ON pg_class.oid = to_regclass(served)::oid
     CROSS JOIN LATERAL pg_catalog.aclexplode(relacl) AS acl
     WHERE acl.grantee <> relowner
"""
SAME_OWNER: Final = """
    SELECT pg_catalog.format('ALTER TABLE %%I OWNER TO %%I', rebuilt,
                             pg_get_userbyid(relowner)) AS statement
      FROM unnest(%s::text[], %s::text[]) AS t (served, rebuilt)
      JOIN pg_class ON pg_class.oid = to_regclass(served)::oid
"""
ANALYZE: Final[LiteralString] = f"ANALYZE {', '.join(TABLES.rebuilt)}"
# While the swap waits for a long reader, every other reader waits for the swap: 50 ms a table.
SOON: Final = "SET LOCAL lock_timeout = '50ms'"
# Readers wait until the swap's COMMIT ends. So it waits for no disk and no standby: after a crash,
# the older tables are served, and the rebuild swaps again. A DROP would wait for the disk all the
# same, so the replaced tables are dropped later.
NOT_WAITING: Final = "SET LOCAL synchronous_commit = off"
# The projector updates the same row first in each batch: it waits, and then sees a new generation.
SERVE: Final = """
    UPDATE milepost_read_model AS served
       SET shape = rebuilt.shape, position = rebuilt.position, generation = rebuilt.generation
      FROM milepost_read_model AS rebuilt
     WHERE served.tables = 'served' AND rebuilt.tables = 'rebuilt' AND rebuilt.shape = %s
       AND NOT EXISTS (SELECT FROM milepost_read_model WHERE tables = 'past')
       AND (rebuilt.position >= served.position
            OR served.position > (SELECT COALESCE(MAX(notification_id), 0) FROM milepost_events))
"""
LOCK_TABLES: Final[LiteralString] = f"LOCK TABLE {', '.join(TABLES.names)} IN ACCESS EXCLUSIVE MODE"
RENAME: Final[tuple[LiteralString, ...]] = tuple(
    f"ALTER TABLE {before} RENAME TO {after}"
    for before, after in zip(
        TABLES.names + TABLES.rebuilt, TABLES.dropped + TABLES.names, strict=True
    )
)
# No number of an index occurs twice, and it makes no name too long.
RENAME_REPLACED_INDEXES: Final = """
    SELECT pg_catalog.format('ALTER INDEX %%s RENAME TO %%I', indexrelid::regclass,
                  'milepost_dropped_' || indexrelid::text) AS statement
      FROM pg_catalog.unnest(%s::text[]) AS t (served)
      JOIN pg_index ON indrelid = served::regclass::oid
"""
RENAME_INDEXES: Final = """
    SELECT pg_catalog.format('ALTER INDEX %%s RENAME TO %%I', indexrelid::regclass,
                  pg_catalog.replace(relname, 'milepost_rebuilt_', 'milepost_')) AS statement
      FROM pg_catalog.unnest(%s::text[]) AS t (served)
      JOIN pg_index ON indrelid = served::regclass::oid
      JOIN pg_class ON pg_class.oid = indexrelid
"""
# The account of a server may not drop what a rebuild of the owner has left.
SELECT_DROPPED: Final = """
    SELECT pg_catalog.pg_has_role(relowner, 'USAGE') AS is_ours
      FROM pg_catalog.unnest(%s::text[]) AS t (name)
      JOIN pg_class ON pg_class.oid = to_regclass(name)::oid
"""
DROP_REPLACED: Final[LiteralString] = f"DROP TABLE IF EXISTS {', '.join(TABLES.dropped)}"
SELECT_ROWS: Final[dict[str, LiteralString]] = {
    view: TABLES.renamed(
        f"SELECT job_id, version, document FROM milepost_{view}"
        " WHERE job_id > %s ORDER BY job_id LIMIT %s"
    )
    for view in VIEWS
}
