"""Why a database refused a commit, in a word of a fixed list.

Anybody may read it (`/readyz`), so it has nothing of the database's own words.
"""

from __future__ import annotations

from typing import Any, Final, Literal, get_args

Refusal = Literal[
    "disk_full",
    "read_only",
    "forbidden",
    "not_replicated",
    "file_replaced",
    "busy",
    "no_tables",
    "away",
]
REFUSALS: Final[tuple[Refusal, ...]] = get_args(Refusal)

# Drivers name their errors by codes; so nothing here needs a driver.
_BY_SQLSTATE: Final[dict[str, Refusal]] = {
    "53100": "disk_full",
    "25006": "read_only",
    "42501": "forbidden",
    "42P01": "no_tables",
    "55P03": "busy",
    "57014": "busy",
}
_AWAY_CLASSES: Final = ("08", "57", "53")
# https://sqlite.org/rescode.html: primary result codes.
_BY_SQLITE_CODE: Final[dict[int, Refusal]] = {
    3: "forbidden",
    5: "busy",
    6: "busy",
    8: "read_only",
    13: "disk_full",
    14: "away",
    10: "away",
    23: "forbidden",
}


class NotReplicated(Exception):
    """A commit succeeded with a warning: a standby may not have it."""


class FileReplaced(Exception):
    """The database's file is not the one that is open any more."""


def refusal_of(error: BaseException) -> Refusal | None:
    """Return the reason behind an error and its causes.

    None for any other error: the data of one callback may be at fault, and others can be stored.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, NotReplicated):
            return "not_replicated"
        if isinstance(cause, FileReplaced):
            return "file_replaced"
        if found := _of_one(cause):
            return found
        cause = cause.__cause__
    return None


def _of_one(error: Any) -> Refusal | None:
    if isinstance(code := getattr(error, "sqlite_errorcode", None), int):
        return _BY_SQLITE_CODE.get(code & 0xFF)
    sqlstate = getattr(error, "sqlstate", "")
    if isinstance(sqlstate, str) and sqlstate:
        return _BY_SQLSTATE.get(sqlstate) or ("away" if sqlstate[:2] in _AWAY_CLASSES else None)
    # A connection that breaks or cannot be made has no code; nor has the pool that waits for one.
    is_operational = any(kind.__name__ == "OperationalError" for kind in type(error).__mro__)
    return "away" if sqlstate is None and is_operational else None
