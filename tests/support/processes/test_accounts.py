"""Accounts: the source that another account runs is copied while tests go on in other processes."""

from __future__ import annotations

from pathlib import Path

from tests.support.processes.accounts import copy_package


def test_a_file_that_python_still_writes_may_vanish_while_a_package_is_copied(
    tmp_path: Path,
) -> None:
    compiled = tmp_path / "package" / "__pycache__"
    compiled.mkdir(parents=True)
    (compiled / "whole.cpython-313.pyc").write_bytes(b"whole")
    # As a name that was listed, and whose file has got its last name since.
    (compiled / "new.cpython-313.pyc.139773273959632").symlink_to("vanished")

    copy_package(tmp_path / "package", tmp_path / "copy")

    copied = [path.name for path in (tmp_path / "copy" / "__pycache__").iterdir()]
    assert copied == ["whole.cpython-313.pyc"]
