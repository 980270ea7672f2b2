"""Numbered schema steps (migrations): the tables that each one makes, and their order.

Each twin that has tables lists its steps in a `Part`. The table `milepost_schema` records the steps
that were applied to this database. One transaction commits a step and its record, under a lock that
one process holds at a time. So several processes may apply steps at once, and after an interruption
each step is applied as a whole or not at all.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, LiteralString, NamedTuple, Protocol, TypeVar

from eventsourcing.persistence import PersistenceError

from domain.errors import MilepostError

log = logging.getLogger("milepost.schema")

C = TypeVar("C")
"""The cursor of the database's driver."""


class SchemaBehind(MilepostError):
    """The database lacks a table or a column that this release needs."""


class RightsLacking(MilepostError):
    """This account lacks rights on the tables."""

    @classmethod
    def of(cls, grants: Sequence[str]) -> RightsLacking:
        """Name the GRANTs that it lacks."""
        return cls(
            f"This account lacks rights on the tables: {'; '.join(grants)}. For all that it needs, "
            "their owner runs milepost init-db --grants"
        )


class TablesAltered(MilepostError):
    """Somebody has changed the tables, and Milepost would not be right over them."""


class NoRights(MilepostError):
    """Only PostgreSQL has accounts with rights; the rights on an SQLite file are those of files."""


class Step(NamedTuple, Generic[C]):
    """One change of the schema. A released step never changes, neither its number nor its effect.

    `makes` names its tables and columns, as `table` or `table.column`. `run` makes the missing
    ones, and runs again after somebody dropped some. A step without tables and columns, such as a
    step that makes an index, runs once, and again after an earlier step of its part. Until the
    owner of the tables applies it, other accounts serve without it.
    """

    number: int
    makes: Sequence[str]
    run: Callable[[C], object]


class Part(NamedTuple, Generic[C]):
    """The steps of the tables that one twin reads and writes, in order."""

    name: str
    steps: Sequence[Step[C]]


class Tables(NamedTuple):
    """The state of a database: the applied steps by part and number, and the names that exist."""

    applied: frozenset[tuple[str, int]]
    existing: frozenset[str]

    def miss(self, step: Step[C]) -> bool:
        """Tell whether a table or a column of the step is missing."""
        return not self.existing.issuperset(step.makes)

    def await_step(self, part: Part[C], step: Step[C]) -> bool:
        """Tell whether the step must be applied or recorded."""
        return (part.name, step.number) not in self.applied or self.miss(step)


class Schema(ABC, Generic[C]):
    """The steps of one database. Every method may raise the library's `PersistenceError`."""

    def __init__(self, *parts: Part[C]) -> None:
        self._parts = parts
        self._names = [name for _, step in self._steps() for name in step.makes]

    def apply(self) -> None:
        """Apply the steps that the database lacks, in order; change nothing if it lacks none.

        If everything that a step makes exists, it is recorded and not run: a release without this
        record made its tables. Steps of a newer release are ignored. Raises `SchemaBehind` if this
        account may not make a missing table or column.
        """
        tables = self._tables()
        self._log_newer(tables)
        for part, step in self._steps():
            if tables.await_step(part, step):
                try:
                    tables = self._apply(part, step)
                except PersistenceError as error:
                    if not self._forbids(error):
                        raise
                    if self._is_usable(tables):
                        log.info("this account may not record the schema's steps: %s", error)
                        return
                    raise SchemaBehind(
                        f"{error}; run milepost init-db with the account that owns the tables, "
                        "and give this one the rights that milepost init-db --grants prints"
                    ) from error

    def check(self) -> None:
        """Raise `SchemaBehind` if a table or a column is missing; write nothing."""
        tables = self._tables()
        for _, step in self._steps():
            for name in step.makes:
                if name not in tables.existing:
                    raise SchemaBehind(f"the database has no {name}; milepost init-db creates it")

    def check_rights(self) -> None:
        """Raise `RightsLacking` if this account may not write all tables; write nothing."""

    def check_tables(self) -> None:
        """Raise `TablesAltered` if Milepost would not be right over the tables; write nothing."""

    def grants(self, role: str, *, only_reads: bool = False) -> Sequence[str]:
        """Return the statements that let a role serve, or with `only_reads` read the log.

        Raises `NoRights` for a database that has none.
        """
        raise NoRights

    def has_any_table(self) -> bool:
        """Tell whether the database has any table of this schema; write nothing."""
        return bool(self._tables().existing)

    def _steps(self) -> Iterator[tuple[Part[C], Step[C]]]:
        for part in self._parts:
            for step in part.steps:
                yield part, step

    def _is_usable(self, tables: Tables) -> bool:
        return all(
            not tables.miss(step) for part, step in self._steps() if tables.await_step(part, step)
        )

    def _log_newer(self, tables: Tables) -> None:
        known = {part.name: len(part.steps) for part in self._parts}
        for name, number in sorted(tables.applied):
            if name in known and number > known[name]:
                log.info(
                    "a newer release applied step %d of the %s; this release knows %d and goes on",
                    number,
                    name,
                    known[name],
                )

    @abstractmethod
    def _tables(self) -> Tables:
        """Return the applied steps and the existing names."""

    @abstractmethod
    def _apply(self, part: Part[C], step: Step[C]) -> Tables:
        """Apply and record a step if the database still lacks it; return its state after that."""

    @abstractmethod
    def _forbids(self, error: PersistenceError) -> bool:
        """Tell whether the error says that this account may not write."""


class Executes(Protocol):
    """A cursor of either driver."""

    def execute(self, statement: LiteralString, /) -> object:
        """Run a statement."""
        ...


def each(*statements: LiteralString) -> Callable[[Executes], None]:
    """Return a function that runs these statements in order."""

    def run(cursor: Executes) -> None:
        for statement in statements:
            cursor.execute(statement)

    return run
