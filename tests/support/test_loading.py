"""The modules that each worker loads first."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.support.loading import load_share, names

TESTS = Path(__file__).parents[1]


def test_a_module_has_the_name_by_which_pytest_finds_it_loaded() -> None:
    assert __name__ in names(TESTS)
    assert len(names(TESTS)) == len(list(TESTS.rglob("test_*.py")))


def test_workers_load_every_module_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = tmp_path / "made"
    made.mkdir()
    for name in ("__init__", "test_a", "test_b", "test_c"):
        (made / f"{name}.py").touch()
    monkeypatch.syspath_prepend(tmp_path)

    for worker, expected in enumerate([{"made.test_a", "made.test_c"}, {"made.test_b"}]):
        before = set(sys.modules)
        load_share(made, worker, 2)
        assert set(sys.modules) - before - {"made"} == expected


def test_a_module_that_cannot_be_loaded_is_left_for_pytest_to_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "__init__.py").touch()
    (broken / "test_a.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(tmp_path)

    load_share(broken, 0, 1)

    assert "broken.test_a" not in sys.modules
