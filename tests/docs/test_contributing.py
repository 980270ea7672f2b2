"""The page that says where code goes: every file and every name that it sends a newcomer to."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "contributing.md").read_text(encoding="utf-8")
FLOORS = ("api", "bench", "docs", "domain", "projections", "tests")


@pytest.mark.parametrize(
    "path", sorted(set(re.findall(rf"`((?:{'|'.join(FLOORS)})/[^`\s]*)`", PAGE)))
)
def test_every_file_and_folder_that_the_page_names_is_there(path: str) -> None:
    assert (ROOT / path).exists()


@pytest.mark.parametrize(
    ("path", "names"),
    [
        (path, re.findall(r"`([A-Za-z_.]+)`", in_brackets))
        for path, in_brackets in re.findall(
            r"`((?:api|domain|projections)/[^`\s]*\.py)` \(([^)]*)\)", PAGE
        )
    ],
)
def test_every_name_that_the_page_gives_in_a_file_is_in_that_file(
    path: str, names: list[str]
) -> None:
    source = (ROOT / path).read_text(encoding="utf-8")

    for name in names:
        assert name.rpartition(".")[2] in source, f"{path}: {name}"
