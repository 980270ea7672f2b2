"""Reading workflow definitions from TOML, with errors that name file, line and reason."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from domain.errors import InvalidDefinition
from domain.workflows.definition import Deadlines, Step, Workflow, Workflows

SHIPPED = Path(__file__).parent
LONGEST_SECONDS = 2_592_000
"""The longest deadline: 30 days."""


def load(folder: Path | None = None) -> Workflows:
    """Load the shipped definitions and those of `folder`, whose default replaces ours.

    Raises `InvalidDefinition`.
    """
    added = [read(path) for path in sorted(folder.glob("*.toml"))] if folder else []
    if folder and not added:
        raise InvalidDefinition(f"{folder}: there is no *.toml file")
    return beside_shipped(added, folder)


def beside_shipped(added: Sequence[Workflow], folder: Path | None) -> Workflows:
    """Return the shipped definitions and those of a folder; raise `InvalidDefinition`."""
    shipped = [read(path) for path in sorted(SHIPPED.glob("*.toml"))]
    refs = [workflow.ref for workflow in (*shipped, *added)]
    for ref in refs:
        if refs.count(ref) > 1:
            shared = ", one of them shipped" if ref in refs[: len(shipped)] else ""
            raise InvalidDefinition(f"{folder or SHIPPED}: two files define {ref}{shared}")
    for group, where in ((added, folder), (shipped, SHIPPED)):
        defaults = [workflow.ref for workflow in group if workflow.default]
        if len(defaults) > 1:
            raise InvalidDefinition(f"{where}: more than one default: {', '.join(defaults)}")
        if defaults:
            return Workflows([*shipped, *added], defaults[0])
    raise InvalidDefinition(f"{SHIPPED}: no definition says default = true")


def read(path: Path) -> Workflow:
    """Read one definition; raise `InvalidDefinition` as `file:line: reason`."""
    try:
        raw = path.read_bytes()
        text = raw.decode("utf-8-sig")
        document = tomllib.loads(text)
    except OSError as error:
        raise InvalidDefinition(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise InvalidDefinition(f"{path}:{line}: not UTF-8: {error.reason}") from error
    except tomllib.TOMLDecodeError as error:
        named = re.search(r"at line (\d+)", str(error))
        where = named[1] if named else len(text.splitlines())
        raise InvalidDefinition(f"{path}:{where}: not TOML: {error}") from error
    lines = _Lines(text)
    try:
        workflow = msgspec.convert(document, Workflow, strict=True)
    except msgspec.ValidationError as error:
        raise InvalidDefinition(f"{path}:{lines.of_error(str(error))}: {error}") from error
    _refuse_unknown_fields(path, document, lines)
    for line_number, reason in _faults(workflow, lines):
        raise InvalidDefinition(f"{path}:{line_number}: {reason}")
    return workflow


def _faults(workflow: Workflow, lines: _Lines) -> Iterator[tuple[int, str]]:
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,63}", workflow.name):
        yield lines.of("name"), "name: lower-case letters, digits, - and _, at most 64"
    if workflow.version < 1:
        yield lines.of("version"), "version counts from 1"
    if workflow.max_retries < 0:
        yield lines.of("max_retries"), "max_retries counts from 0"
    if not workflow.ui_steps:
        yield 1, "there is no [[ui_steps]]"
    ui_steps: set[str] = set()
    for place, ui_step in enumerate(workflow.ui_steps):
        if not ui_step.id.strip():
            yield lines.of("id", "ui_steps", place), "this UI step has an empty id"
        if not ui_step.label.strip():
            yield lines.of("label", "ui_steps", place), f"UI step {ui_step.id!r} has an empty label"
        if ui_step.id in ui_steps:
            yield lines.of("id", "ui_steps", place), f"UI step {ui_step.id!r} is defined twice"
        ui_steps.add(ui_step.id)
    for field in ("waiting", "started", "blame"):
        if (given := getattr(workflow, field)) not in ui_steps:
            yield lines.of(field), f"{field} names the unknown UI step {given!r}"
    for field in Deadlines.__struct_fields__:
        seconds = getattr(workflow.deadlines, field)
        if seconds is not None and not 1 <= seconds <= LONGEST_SECONDS:
            yield lines.of(field, "deadlines"), f"{field}: from 1 to {LONGEST_SECONDS} seconds"
    names: set[str] = set()
    order = [ui_step.id for ui_step in workflow.ui_steps]
    furthest = 0
    for place, step in enumerate(workflow.steps):
        if step.activates not in ui_steps:
            line = lines.of("activates", "steps", place)
            yield line, f"step {step.id!r} activates the unknown UI step {step.activates!r}"
        elif order.index(step.activates) < furthest:
            line = lines.of("activates", "steps", place)
            yield line, f"step {step.id!r} goes back to UI step {step.activates!r}"
        else:
            furthest = order.index(step.activates)
        seconds = step.deadline_seconds
        if seconds is not None and not 1 <= seconds <= LONGEST_SECONDS:
            line = lines.of("deadline_seconds", "steps", place)
            yield line, f"deadline_seconds: from 1 to {LONGEST_SECONDS} seconds"
        for name in (step.id, *step.aliases):
            key = "id" if name == step.id else "aliases"
            if not name.strip():
                yield lines.of(key, "steps", place), "a step has an empty name"
            if name in names:
                yield lines.of(key, "steps", place), f"step {name!r} is defined twice"
            names.add(name)


def _refuse_unknown_fields(path: Path, document: dict[str, object], lines: _Lines) -> None:
    # A misspelt `alises` must not silently define nothing.
    known = {
        "": set(Workflow.__struct_fields__),
        "ui_steps": {"id", "label"},
        "steps": set(Step.__struct_fields__),
    }
    for field in document.keys() - known[""]:
        raise InvalidDefinition(f"{path}:{lines.of(field)}: unknown field {field!r}")
    for table in ("ui_steps", "steps"):
        for place, entry in enumerate(document.get(table, ())):  # type: ignore[arg-type, var-annotated]
            for field in entry.keys() - known[table]:
                line = lines.of(field, table, place)
                raise InvalidDefinition(f"{path}:{line}: unknown field {field!r} in [[{table}]]")
    deadlines = document.get("deadlines", {})
    for field in deadlines.keys() - set(Deadlines.__struct_fields__):  # type: ignore[attr-defined]
        line = lines.of(field, "deadlines")
        raise InvalidDefinition(f"{path}:{line}: unknown field {field!r} in [deadlines]")


class _Lines:
    """The lines of each `key = value` in a simple TOML file, which the parser does not report."""

    def __init__(self, text: str) -> None:
        self._lines: dict[tuple[str, int, str], int] = {}
        table, counts = "", dict[str, int]()
        for number, line in enumerate(text.splitlines(), start=1):
            if header := re.match(r"\s*\[\[?\s*([\w.-]+)\s*\]\]?", line):
                table = header[1]
                counts[table] = counts.get(table, -1) + 1
                self._lines[table, counts[table], ""] = number
                self._lines.setdefault(("", 0, table), number)
            elif pair := re.match(r"\s*\"?([\w-]+)\"?\s*=", line):
                self._lines.setdefault((table, counts.get(table, 0), pair[1]), number)

    def of(self, key: str, table: str = "", place: int = 0) -> int:
        """Return the line of a key, else of its table, else 1."""
        own = self._lines.get((table, place, key))
        return own or self._lines.get((table, place, "")) or 1

    def of_error(self, message: str) -> int:
        """Return the line that a validation message with a path such as `$.steps[2].id` means."""
        path = re.search(r"`\$\.?(\w*)(?:\[(\d+)\])?(?:\.(\w+))?", message)
        missing = re.search(r"field `(\w+)`", message)
        key = missing[1] if missing else ""
        if path is None:
            return self.of(key)
        if path[2] is None:
            return self.of(path[3], path[1]) if path[3] else self.of(path[1] or key)
        return self.of(path[3] or key, path[1], int(path[2]))
