"""A test that is skipped everywhere is missed by nobody, so CI skips none."""

from __future__ import annotations

import pytest

from tests.support.processes.lacking import lacking


def test_a_test_that_lacks_something_is_skipped_on_a_person_s_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("CI", raising=False)

    with pytest.raises(pytest.skip.Exception, match="npm is not installed"):
        lacking("npm is not installed")


def test_a_test_that_lacks_something_fails_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")

    with pytest.raises(pytest.fail.Exception, match="npm is not installed"):
        lacking("npm is not installed")
