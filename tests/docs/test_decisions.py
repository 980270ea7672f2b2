"""The decision records: their names, their dates, and the index that lists them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

DECISIONS = Path(__file__).parents[2] / "docs" / "decisions"
INDEX = (DECISIONS / "README.md").read_text(encoding="utf-8")
RECORDS = sorted(path for path in DECISIONS.glob("*.md") if path.name != "README.md")
SECTIONS = ["Situation", "Decision", "Measured or tried", "Consequences"]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.stem)
def test_a_record_has_its_number_its_date_and_its_four_sections(record: Path) -> None:
    number = re.match(r"([0-9]{4})-[a-z0-9-]+\.md$", record.name)
    assert number, "the name is NNNN-the-decision-in-a-few-words.md"
    title, _, date, *_ = record.read_text(encoding="utf-8").splitlines()

    assert title.startswith(f"# {number[1]}. ")
    assert re.match(r"20[0-9]{2}-[01][0-9]-[0-3][0-9] · [A-Z]", date)
    sections = re.findall(r"^## (.*)$", record.read_text(encoding="utf-8"), re.MULTILINE)
    assert sections == SECTIONS


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.stem)
def test_the_index_lists_a_record_once_in_the_table_of_its_room(record: Path) -> None:
    title, _, line, *_ = record.read_text(encoding="utf-8").splitlines()
    number, name = title.removeprefix("# ").split(". ", 1)
    date, room = line.split(" · ")
    row = f"| [{number}]({record.name}) | {name} | {date} | "

    assert INDEX.count(f"]({record.name})") == 1
    [table] = re.findall(rf"^## {room}\n(.*?)(?=^## )", INDEX, re.DOTALL | re.MULTILINE)
    assert f"\n{row}" in table


def test_every_record_has_a_number_of_its_own() -> None:
    numbers = [record.name[:4] for record in RECORDS]

    assert len(numbers) == len(set(numbers))
