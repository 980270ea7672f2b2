"""The reporter as the server sends it: the file of this release, for everybody."""

from __future__ import annotations

from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

from clients.reporter.milepost_report import VERSION
from tests.support.web.site import Site

FILE = Path(__file__).parents[4] / "clients" / "reporter" / "milepost_report.py"


def test_everybody_gets_the_reporter_of_this_release(memory_site: Site) -> None:
    answer = memory_site.client.get("/milepost-report")

    assert answer.status_code == 200
    assert answer.data == FILE.read_bytes()
    assert answer.content_type.startswith("text/x-python")
    assert version("milepost") == VERSION
    again = memory_site.client.get(
        "/milepost-report", headers={"If-None-Match": answer.headers["ETag"]}
    )
    assert again.status_code == 304


def test_its_hash_is_as_sha256sum_reads_it(memory_site: Site) -> None:
    answer = memory_site.client.get("/milepost-report.sha256")

    assert answer.text == f"{sha256(FILE.read_bytes()).hexdigest()}  milepost-report\n"
