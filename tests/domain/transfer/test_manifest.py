"""A manifest is believed when a trusted key signed exactly what it says."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from domain.evidence.checkpoint import parse_checkpoint
from domain.evidence.signed_note import InvalidCheckpoint
from domain.evidence.signing_keys import PrivateKey
from domain.transfer.jsonl import InvalidExport
from domain.transfer.manifest import HEADING, Manifest, dumped, loaded
from domain.unseen import UNSEEN
from tests.support.stores.manifest import MANIFEST

SIGNED = msgspec.structs.replace(MANIFEST, signed=True)
KEY, OTHER = PrivateKey.generate("milepost.example"), PrivateKey.generate("milepost.example")


def test_a_manifest_comes_back_as_it_was() -> None:
    assert loaded(dumped(MANIFEST)) == MANIFEST
    assert loaded(dumped(MANIFEST, [KEY]), [KEY.public]) == SIGNED


def test_a_terminal_obeys_no_manifest_and_its_signature_holds() -> None:
    filters = {"job_id": "job\x9b\x7f\u202e\u2028"}
    manifest = msgspec.structs.replace(SIGNED, filters=filters)

    content = dumped(manifest, [KEY])

    assert {found[0] for found in UNSEEN.finditer(content.decode())} == {"\n"}
    assert loaded(content, [KEY.public]) == manifest


def test_an_unsigned_manifest_says_so() -> None:
    members = json.loads(dumped(MANIFEST))

    assert members["signed"] is False
    assert members["note"] is None


def test_the_note_is_what_any_program_for_signed_notes_reads() -> None:
    """And what it signs is the manifest's members, in their order, without spaces."""
    members = json.loads(dumped(MANIFEST, [KEY]))
    text, _, signature = members.pop("note").rpartition("\n\n")

    assert text == HEADING + json.dumps(members, separators=(",", ":"))
    assert signature.startswith("\u2014 milepost.example ")
    with pytest.raises(InvalidCheckpoint):
        parse_checkpoint(text + "\n")


def test_while_keys_rotate_either_signature_will_do() -> None:
    content = dumped(MANIFEST, [KEY, OTHER])

    for trusted in (KEY, OTHER):
        assert loaded(content, [trusted.public]) == SIGNED


OTHER_VALUES: dict[str, Any] = {
    "format": "csv",
    "format_version": 2,
    "milepost_version": "0.1.1",
    "made_at": "2026-03-02T12:00:01Z",
    "complete": False,
    "filters": {"job_id": "job"},
    "first_position": 2,
    "last_position": 10,
    "events": 9,
    "jobs": 1,
    "length": 4712,
    "sha256": "ac" * 32,
    "sealed": True,
    "decrypted": True,
    "decompressed": True,
    "merkle": None,
    "signed": False,
}


@pytest.mark.parametrize("name", [field.name for field in msgspec.structs.fields(Manifest)])
def test_what_was_changed_after_signing_is_refused(name: str) -> None:
    members = json.loads(dumped(MANIFEST, [KEY]))
    altered = json.dumps({**members, name: OTHER_VALUES[name]}).encode()

    loaded(altered)
    with pytest.raises(InvalidExport, match="what was signed"):
        loaded(altered, [KEY.public])


def test_what_nobody_trusted_signed_is_refused() -> None:
    with pytest.raises(InvalidExport, match="not by a trusted key"):
        loaded(dumped(MANIFEST, [KEY]), [OTHER.public])
    with pytest.raises(InvalidExport, match="is not signed"):
        loaded(dumped(MANIFEST), [KEY.public])


def test_a_member_of_a_newer_release_is_signed_with_the_others() -> None:
    """An older release checks what it does not know."""
    members = {**json.loads(dumped(MANIFEST)), "colour": "red"}
    del members["note"]
    text = HEADING + json.dumps(members, separators=(",", ":")) + "\n"
    note = f"{text}\n{KEY.sign(text)}"

    assert loaded(json.dumps({**members, "note": note}).encode(), [KEY.public]) == MANIFEST
    with pytest.raises(InvalidExport, match="what was signed"):
        loaded(json.dumps({**members, "colour": "blue", "note": note}).encode(), [KEY.public])


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b"null", b"\xff", dumped(MANIFEST)[:-20], b"[" * 100_000]
)
def test_other_files_are_no_manifest(content: bytes) -> None:
    with pytest.raises(InvalidExport, match="no manifest"):
        loaded(content)


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"format": "csv"}, "It is csv 1; only jsonl 1"),
        ({"format_version": 2}, "It is jsonl 2; only jsonl 1"),
        ({"complete": False, "filters": {"job_id": "job"}}, "a part of a log .job_id=job."),
    ],
)
def test_no_store_can_be_made_of_other_exports(changed: dict[str, Any], fault: str) -> None:
    MANIFEST.check_importable()

    with pytest.raises(InvalidExport, match=fault):
        msgspec.structs.replace(MANIFEST, **changed).check_importable()
