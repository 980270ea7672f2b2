"""What tests share is in `tests/support`: a test can be moved or removed without another one."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]


def imported(path: Path) -> Iterator[str]:
    """Yield every module and name that a file imports, in full."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_no_file_imports_from_a_test_or_a_conftest() -> None:
    files = [path for folder in ("tests", "bench") for path in (ROOT / folder).rglob("*.py")]

    assert [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in files
        for name in imported(path)
        for part in name.split(".")
        if part == "conftest" or part.startswith("test_")
    ] == []
