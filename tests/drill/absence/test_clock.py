"""Which library the drill of absences takes for libfaketime."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.drill.absence.clock import SetClock, UnusableLibrary


def test_a_library_that_sets_no_clock_is_refused(tmp_path: Path) -> None:
    """The loader passes over what is no library, so that every clock stays as it is."""
    library = tmp_path / "libfaketime.so.1"
    library.write_text("no library")

    with pytest.raises(UnusableLibrary, match="must move the wall clock alone"):
        SetClock(library, tmp_path / "clock").check()
