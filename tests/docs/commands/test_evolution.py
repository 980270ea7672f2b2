"""The example of how an event evolves, run as it stands there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from domain.job.events import Fact

EVOLUTION = (Path(__file__).parents[3] / "docs" / "evolution.md").read_text(encoding="utf-8")


def test_the_upcaster_of_the_example_works() -> None:
    [example] = re.findall(r"^```python\n(.*?)^```", EVOLUTION, re.DOTALL | re.MULTILINE)
    names: dict[str, Any] = {"__name__": "example"}

    code = compile(example, "docs/evolution.md", "exec", dont_inherit=True)
    exec(code, names)  # noqa: S102  our own page

    assert issubclass(names["MachineFound"], Fact)
    read = names["shapes"].read("MachineFound", names["old"])
    assert read.addresses == ["203.0.113.7"]
