"""Record what this release makes of the events of a release that is new in the corpus.

python -m tests.corpus.record RELEASE
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from domain.application import Milepost
from domain.transfer.importing import fill
from domain.transfer.jsonl import encode
from domain.workflows.files import load
from tests.corpus.reading import RELEASES, events, facts, keys, states


def main(release: str) -> None:
    """Write what is not there yet."""
    stored = events(release)
    write(release, "facts", facts(stored))
    write(release, "states", states(stored, load()))
    with tempfile.TemporaryDirectory() as folder:
        database = str(Path(folder) / "corpus.db")
        milepost = Milepost({"PERSISTENCE_MODULE": "domain.log.sqlite", "SQLITE_DBNAME": database})
        fill(milepost.store, milepost.mapper, map(encode, stored), None)
        write(release, "keys", keys(milepost, names_in(milepost)))
        milepost.close()


def names_in(milepost: Milepost) -> list[str]:
    """Return every name that is taken in a SQLite file."""
    recorder: Any = milepost.recorder
    with recorder.datastore.reading() as cursor:
        return [row[0] for row in cursor.execute("SELECT name FROM milepost_keys")]


def write(release: str, name: str, values: Iterable[Any]) -> None:
    """Write one of the files; what was recorded once stays."""
    with (RELEASES / release / f"{name}.jsonl").open("xb") as file:
        file.writelines(msgspec.json.encode(value) + b"\n" for value in values)


if __name__ == "__main__":
    main(sys.argv[1])
