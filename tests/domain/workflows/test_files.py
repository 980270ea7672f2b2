"""Reading definitions: what ships loads, and what cannot be used says where and why."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from domain.errors import InvalidDefinition
from domain.workflows.definition import Deadlines
from domain.workflows.files import load, read

OVEN = """\
name = "oven"
version = 1
waiting = "cold"
started = "warm"
blame = "warm"

[[ui_steps]]
id = "cold"
label = "Cold"

[[ui_steps]]
id = "warm"
label = "Warm"

[[steps]]
id = "lit"
activates = "cold"

[[steps]]
id = "heated"
activates = "warm"
aliases = ["hot"]
"""


def oven(line: int = 0, becomes: str = "") -> str:
    """Return the definition above with one line changed; an empty one keeps its place."""
    lines = OVEN.splitlines()
    if line:
        lines[line - 1] = becomes
    return "\n".join(lines) + "\n"


def written(folder: Path, text: str | bytes, name: str = "oven.toml") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_the_shipped_definitions_load() -> None:
    workflows = load()

    assert [workflow.ref for workflow in workflows] == ["milepost-demo@1", "vm@1", "vm-verified@1"]
    assert workflows.default.ref == "vm@1"


def test_the_shipped_definitions_know_the_names_of_the_first_one() -> None:
    """A workflow that still sends the names of `vm` keeps working under `vm-verified`."""
    workflows = load()

    assert workflows.find("vm").ranks.keys() <= workflows.find("vm-verified").ranks.keys()


def test_a_definition_is_read_as_it_is_written(tmp_path: Path) -> None:
    workflow = read(written(tmp_path, OVEN))

    assert workflow.ref == "oven@1"
    assert (workflow.waiting, workflow.started, workflow.blame) == ("cold", "warm", "warm")
    assert [(step.id, step.label) for step in workflow.ui_steps] == [
        ("cold", "Cold"),
        ("warm", "Warm"),
    ]
    assert [(step.id, step.activates, step.aliases) for step in workflow.steps] == [
        ("lit", "cold", ()),
        ("heated", "warm", ("hot",)),
    ]
    assert not workflow.default


def test_a_definition_may_have_no_steps(tmp_path: Path) -> None:
    text = OVEN.split("[[steps]]", maxsplit=1)[0]

    assert read(written(tmp_path, text)).steps == ()


REFUSALS = {
    "a waiting UI step that is unknown": (3, 'waiting = "icy"', 3, "unknown UI step 'icy'"),
    "a started UI step that is unknown": (4, 'started = "icy"', 4, "unknown UI step 'icy'"),
    "a UI step at fault that is unknown": (5, 'blame = "icy"', 5, "unknown UI step 'icy'"),
    "a step that activates an unknown UI step": (
        17,
        'activates = "icy"',
        17,
        "step 'lit' activates the unknown UI step 'icy'",
    ),
    "a UI step that is defined twice": (12, 'id = "cold"', 12, "UI step 'cold' is defined twice"),
    "a step that is defined twice": (20, 'id = "lit"', 20, "step 'lit' is defined twice"),
    "an alias that is a step": (22, 'aliases = ["lit"]', 22, "step 'lit' is defined twice"),
    "an alias that is given twice": (
        22,
        'aliases = ["hot", "hot"]',
        22,
        "step 'hot' is defined twice",
    ),
    "an empty alias": (22, 'aliases = [""]', 22, "empty name"),
    "an empty step": (16, 'id = " "', 16, "empty name"),
    "a step that goes back": (17, 'activates = "warm"', 21, "goes back to UI step 'cold'"),
    "a missing label": (13, "", 11, "label"),
    "an empty label": (13, 'label = " "', 13, "UI step 'warm' has an empty label"),
    "an empty UI step": (12, 'id = ""', 12, "empty id"),
    "a missing version": (2, "", 1, "version"),
    "a missing name": (1, "", 1, "name"),
    "a missing UI step to wait in": (3, "", 1, "waiting"),
    "a version that is a text": (2, 'version = "1"', 2, "Expected `int`, got `str`"),
    "a version before the first": (2, "version = 0", 2, "counts from 1"),
    "a name that is no name": (1, 'name = "Big Oven"', 1, "lower-case letters"),
    "a default that is a text": (6, 'default = "yes"', 6, "Expected `bool`, got `str`"),
    "a label that is a number": (9, "label = 3", 9, "Expected `str`, got `int`"),
    "aliases that are a text": (22, 'aliases = "hot"', 22, "Expected `array`, got `str`"),
    "an alias that is a number": (22, "aliases = [1]", 22, "Expected `str`, got `int`"),
    "an unknown field": (6, "timeout = 900", 6, "unknown field 'timeout'"),
    "an unknown field of a UI step": (10, 'icon = "x"', 10, "unknown field 'icon' in [[ui_steps]]"),
    "an unknown field of a step": (
        22,
        'alises = ["hot"]',
        22,
        "unknown field 'alises' in [[steps]]",
    ),
    "an unknown field of the first of two": (18, "rank = 3", 18, "unknown field 'rank'"),
    "what is not TOML": (5, "blame =", 5, "not TOML"),
    "a text that does not end": (22, 'aliases = ["hot"', 22, "not TOML"),
    "a key that is given twice": (6, 'blame = "cold"', 6, "not TOML"),
}


@pytest.mark.parametrize("what", REFUSALS)
def test_what_cannot_be_used_is_refused_with_file_line_and_reason(
    tmp_path: Path, what: str
) -> None:
    changed, becomes, line, reason = REFUSALS[what]
    text = oven(changed, becomes)
    if what == "a step that goes back":
        text = text.replace('activates = "warm"\naliases', 'activates = "cold"\naliases')
    path = written(tmp_path, text)

    with pytest.raises(InvalidDefinition) as refusal:
        read(path)

    found = re.fullmatch(r"(.+?):(\d+): (.+)", str(refusal.value), re.DOTALL)
    assert found is not None, str(refusal.value)
    assert found[1] == str(path)
    assert reason in found[3]
    assert int(found[2]) == line


def test_a_definition_without_ui_steps_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "ui_steps = []\n" + OVEN.split("[[ui_steps]]", maxsplit=1)[0])

    with pytest.raises(InvalidDefinition, match=rf"^{re.escape(str(path))}:1: .*\[\[ui_steps\]\]"):
        read(path)


def test_a_misspelt_table_is_refused_where_it_stands(tmp_path: Path) -> None:
    """It must not silently define nothing, nor send the reader to line 1."""
    path = written(tmp_path, OVEN.replace("[[steps]]", "[[stpes]]"))

    with pytest.raises(InvalidDefinition) as refusal:
        read(path)

    assert str(refusal.value) == f"{path}:15: unknown field 'stpes'"


def test_a_table_where_there_should_be_a_list_is_refused_where_it_stands(tmp_path: Path) -> None:
    text = OVEN.split("[[steps]]", maxsplit=1)[0] + '[steps]\nid = "lit"\nactivates = "cold"\n'
    path = written(tmp_path, text)

    with pytest.raises(InvalidDefinition) as refusal:
        read(path)

    assert str(refusal.value).startswith(f"{path}:15: Expected `array`, got `object`")


def test_bytes_that_are_not_utf_8_are_refused_with_file_line_and_reason(tmp_path: Path) -> None:
    path = written(tmp_path, OVEN.encode().replace(b'"Warm"', b'"W\xe4rm"'))

    with pytest.raises(InvalidDefinition) as refusal:
        read(path)

    assert str(refusal.value).startswith(f"{path}:13: ")
    assert "utf-8" in str(refusal.value).lower()


def test_a_file_that_cannot_be_read_is_refused_by_name(tmp_path: Path) -> None:
    folder = tmp_path / "folder.toml"
    folder.mkdir()

    with pytest.raises(InvalidDefinition, match=re.escape(str(folder))):
        read(folder)


def test_a_file_with_windows_line_ends_is_read_and_refused_alike(tmp_path: Path) -> None:
    assert read(written(tmp_path, OVEN.replace("\n", "\r\n"))).ref == "oven@1"
    path = written(tmp_path, oven(4, 'started = "icy"').replace("\n", "\r\n"))

    with pytest.raises(InvalidDefinition, match=rf"^{re.escape(str(path))}:4: "):
        read(path)


def test_a_folder_adds_to_what_ships(tmp_path: Path) -> None:
    written(tmp_path, OVEN)

    workflows = load(tmp_path)

    assert [workflow.ref for workflow in workflows] == [
        "milepost-demo@1",
        "oven@1",
        "vm@1",
        "vm-verified@1",
    ]
    assert workflows.default.ref == "vm@1"


def test_the_default_of_a_folder_goes_before_ours(tmp_path: Path) -> None:
    written(tmp_path, oven(6, "default = true"))

    assert load(tmp_path).default.ref == "oven@1"


def test_a_folder_may_bring_a_newer_version_of_what_ships(tmp_path: Path) -> None:
    """The newest version goes by the name alone; the older one is still there."""
    written(tmp_path, OVEN.replace('"oven"', '"vm"').replace("version = 1", "version = 2"))

    workflows = load(tmp_path)

    assert workflows.find("vm").ref == "vm@2"
    assert workflows.find("vm@1").ref == "vm@1"


def test_two_defaults_are_refused(tmp_path: Path) -> None:
    default = oven(6, "default = true")
    written(tmp_path, default)
    written(tmp_path, default.replace('"oven"', '"kiln"'), "kiln.toml")

    with pytest.raises(InvalidDefinition) as refusal:
        load(tmp_path)

    assert str(refusal.value) == f"{tmp_path}: more than one default: kiln@1, oven@1"


def test_the_same_definition_twice_is_refused(tmp_path: Path) -> None:
    written(tmp_path, OVEN)
    written(tmp_path, OVEN, "again.toml")

    with pytest.raises(InvalidDefinition) as refusal:
        load(tmp_path)

    assert str(refusal.value).startswith(f"{tmp_path}: two files define oven@1")


def test_a_definition_that_ships_cannot_be_replaced(tmp_path: Path) -> None:
    """Jobs that ran with it keep the steps that they ran with."""
    written(tmp_path, OVEN.replace('"oven"', '"vm"'))

    with pytest.raises(InvalidDefinition, match="vm@1"):
        load(tmp_path)


@pytest.mark.parametrize("exists", [True, False])
def test_a_folder_without_definitions_is_refused(tmp_path: Path, *, exists: bool) -> None:
    folder = tmp_path if exists else tmp_path / "missing"

    with pytest.raises(InvalidDefinition) as refusal:
        load(folder)

    assert str(refusal.value) == f"{folder}: there is no *.toml file"


def with_deadlines(*lines: str) -> str:
    """Return the definition with a table of deadlines at its end, from line 24 on."""
    return OVEN + "\n" + "\n".join(("[deadlines]", *lines)) + "\n"


def test_a_definition_may_have_deadlines_and_has_the_seeds_without_any(tmp_path: Path) -> None:
    text = with_deadlines("start_seconds = 600", "attempt_seconds = 7200")
    text = text.replace('id = "lit"', 'id = "lit"\ndeadline_seconds = 30')

    seed, own = read(written(tmp_path, OVEN)), read(written(tmp_path, text))

    assert seed.deadlines == Deadlines(3600, 900, None)
    assert seed.step_deadlines == {}
    assert own.deadlines == Deadlines(600, 900, 7200)
    assert own.step_deadlines == {"lit": 30}


def test_shipped_definitions_have_the_seeds_deadlines() -> None:
    of_its_own = {workflow.ref for workflow in load() if workflow.deadlines != Deadlines()}

    assert of_its_own == {"milepost-demo@1"}, "which `milepost demo` alone uses"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("heartbeat_second = 900", "unknown field 'heartbeat_second' in [deadlines]"),
        ("heartbeat_seconds = 0", "heartbeat_seconds: from 1 to 2592000 seconds"),
        ("attempt_seconds = -5", "attempt_seconds: from 1 to 2592000 seconds"),
        ("start_seconds = 99999999", "start_seconds: from 1 to 2592000 seconds"),
        ("start_seconds = 1.5", "Expected `int`, got `float`"),
        ('heartbeat_seconds = "900"', "Expected `int`, got `str`"),
    ],
)
def test_a_deadline_that_cannot_be_used_is_refused_with_its_line(
    tmp_path: Path, line: str, reason: str
) -> None:
    path = written(tmp_path, with_deadlines("", line))

    with pytest.raises(InvalidDefinition) as refusal:
        read(path)

    assert reason in str(refusal.value)
    assert str(refusal.value).startswith(f"{path}:26: ")


def test_a_deadline_of_a_step_is_refused_with_its_line(tmp_path: Path) -> None:
    path = written(tmp_path, oven(18, "deadline_seconds = 0"))

    with pytest.raises(InvalidDefinition) as refusal:
        read(path)

    assert str(refusal.value) == f"{path}:18: deadline_seconds: from 1 to 2592000 seconds"
