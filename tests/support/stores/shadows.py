"""Functions and operators that take the place of PostgreSQL's own where a call fits them better.

PostgreSQL's own schema comes first in the search path. Still, of functions with one name, the one
wins whose types are exactly those of the call, in whichever schema of the path it is. So who may
create functions in the schema of Milepost's tables has Milepost call them with its rights, unless
each call fits PostgreSQL's own function exactly or names its schema.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product
from typing import Any

from psycopg import Connection, sql

CLOSER: dict[str, tuple[str, ...]] = {
    "bigint": ("integer",),
    "integer": ("smallint",),
    "smallint": ("integer",),
    "numeric": ("bigint", "integer"),
    "double precision": ("numeric", "integer"),
    "text": ("name",),
    "name": ("text",),
    '"char"': ("text",),
    "oid": ("regclass", "integer"),
    "regclass": ("text",),
    '"any"': ("text", "bigint", "name"),
    "anyelement": ("text", "bigint"),
    "anynonarray": ("text", "bigint", "name"),
    "anyarray": ("text[]", "bigint[]"),
    "timestamp with time zone": ("text",),
}
"""Types of which a call may have a value where PostgreSQL's own function takes the first one."""
USED = {*CLOSER, *(type_ for closer in CLOSER.values() for type_ in closer), "json", "boolean"}
FUNCTIONS = """
    SELECT proname, provariadic <> 0,
           ARRAY(SELECT format_type(type, NULL) FROM unnest(proargtypes) WITH ORDINALITY
                 AS argument (type, place) ORDER BY place)
      FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace AND pronargs BETWEEN 1 AND 4
"""
OPERATORS = """
    SELECT oprname, false, ARRAY[format_type(oprleft, NULL), format_type(oprright, NULL)]
      FROM pg_operator WHERE oprnamespace = 'pg_catalog'::regnamespace AND oprleft <> 0
"""
MAKE = """
    CREATE FUNCTION {name} ({types}) RETURNS boolean LANGUAGE plpgsql
    AS $$ BEGIN RAISE EXCEPTION USING MESSAGE = {said}; END $$;
"""
MAKE_OPERATOR = "CREATE OPERATOR {} (LEFTARG = {}, RIGHTARG = {}, FUNCTION = {});"


def plant(connection: Connection[Any]) -> None:
    """Make one for each call that might not be exact; each raises an error that names it."""
    made = [
        _function(sql.Identifier(name), name, types)
        for name, types in _closer(connection.execute(FUNCTIONS).fetchall())
    ]
    operators = _closer(connection.execute(OPERATORS).fetchall())
    for number, (name, types) in enumerate(operators):
        function = sql.Identifier(f"shadow_{number}")
        left, right = map(sql.SQL, types)
        made.append(_function(function, name, types))
        made.append(sql.SQL(MAKE_OPERATOR).format(sql.SQL(name), left, right, function))
    for first in range(0, len(made), 500):
        connection.execute(sql.Composed(made[first : first + 500]))


def _function(name: sql.Identifier, shown: str, types: tuple[str, ...]) -> sql.Composed:
    said = f"a shadow was called: {shown} ({', '.join(types)})"
    listed = sql.SQL(", ").join(map(sql.SQL, types))
    return sql.SQL(MAKE).format(name=name, types=listed, said=sql.Literal(said))


def _closer(own: Iterable[tuple[str, bool, list[str]]]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each name with types that a call may fit better, each pair once."""
    own = list(own)
    seen = {(name, tuple(types)) for name, _, types in own}
    for name, is_variadic, types in own:
        forms = [types]
        if is_variadic:
            forms += [types[:-1] + ["text"] * number for number in range(5)]
        for form in forms:
            for exact in product(*((type_, *CLOSER.get(type_, ())) for type_ in form)):
                if (name, exact) not in seen and all(_is_usual(type_) for type_ in exact):
                    seen.add((name, exact))
                    yield name, exact


def _is_usual(type_: str) -> bool:
    return type_.removesuffix("[]") in USED and not type_.strip('"').startswith("any")
