"""A checkpoint is believed when a trusted key signed exactly these lines."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime

import pytest

from domain.evidence.checkpoint import Checkpoint, opened_checkpoint, parse_checkpoint
from domain.evidence.signed_note import InvalidCheckpoint, opened_note, signed_note
from domain.evidence.signing_keys import InvalidKey, PrivateKey, PublicKey

# The example of the specification of signed notes and of golang.org/x/mod/sumdb/note's tests.
PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETERS_NOTE = """\
If you think cryptography is the answer to your problem,
then you don't know what your problem is.

\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=
"""  # noqa: E501
MADE = datetime(2026, 11, 24, 14, 3, tzinfo=UTC)
CHECKPOINT = Checkpoint("milepost.example", 3, b"r" * 32, 5, MADE)


def test_a_note_that_another_program_signed_is_opened() -> None:
    text, signer = opened_note(PETERS_NOTE, [PublicKey.parse(PETER)])
    assert text.startswith("If you think")
    assert text.endswith("problem is.\n")
    assert str(signer) == PETER


def test_a_checkpoint_is_read_as_it_was_signed() -> None:
    key = PrivateKey.generate("milepost.example")
    note = signed_note(CHECKPOINT.text, [key])
    text, signer = opened_note(note, [PublicKey.parse(str(key.public))])
    assert (parse_checkpoint(text), signer.id) == (CHECKPOINT, key.public.id)
    assert note.split("\n")[:3] == ["milepost.example", "3", b64encode(b"r" * 32).decode()]


def test_a_key_is_stored_and_read_again_and_shows_no_secret() -> None:
    key = PrivateKey.generate("milepost.example")
    again = PrivateKey.parse(key.secret() + "\n")
    assert str(again.public) == str(key.public)
    assert key.secret() not in f"{key} {key!r}"


def test_while_keys_rotate_either_signature_will_do() -> None:
    old, new = (PrivateKey.generate("milepost.example") for _ in range(2))
    note = signed_note(CHECKPOINT.text, [old, new])
    for trusted in (old, new):
        _, signer = opened_note(note, [trusted.public])
        assert signer is trusted.public


def test_what_nobody_trusted_signed_is_refused() -> None:
    key, other = (PrivateKey.generate("milepost.example") for _ in range(2))
    note = signed_note(CHECKPOINT.text, [key])
    with pytest.raises(
        InvalidCheckpoint, match=f"signed by milepost.example.{key.public.id.hex()}"
    ):
        opened_note(note, [other.public])
    for changed in (note.replace("\n3\n", "\n4\n"), note.replace("position 5", "position 6")):
        with pytest.raises(InvalidCheckpoint, match="is wrong"):
            opened_note(changed, [key.public])
    with pytest.raises(InvalidCheckpoint, match="no signature"):
        opened_note(CHECKPOINT.text, [key.public])
    with pytest.raises(InvalidCheckpoint, match="by nobody"):
        opened_note(CHECKPOINT.text + "\n", [key.public])
    for line in ("\u2014 name", "\u2014 name !!!!", "- name aaaaaaaa", "\u2014 name aaaa"):
        with pytest.raises(InvalidCheckpoint, match="is written"):
            opened_note(f"{CHECKPOINT.text}\n{line}\n", [key.public])


def test_a_key_that_is_trusted_for_another_log_is_not_for_this_one() -> None:
    ours, other = PrivateKey.generate("milepost.example"), PrivateKey.generate("other.example")
    keys = [ours.public, other.public]

    assert opened_checkpoint(signed_note(CHECKPOINT.text, [other, ours]), keys) == CHECKPOINT
    with pytest.raises(InvalidCheckpoint, match=r"signed by other\.example"):
        opened_checkpoint(signed_note(CHECKPOINT.text, [other]), keys)
    with pytest.raises(InvalidCheckpoint, match="not the lines"):
        opened_checkpoint(signed_note("milepost.example\n", [ours]), keys)
    for nothing in ("", "\n", "milepost.example\n"):
        with pytest.raises(InvalidCheckpoint, match="no signature"):
            opened_checkpoint(nothing, keys)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "origin\n3\n",
        CHECKPOINT.text.replace("\n3\n", "\n-3\n"),
        CHECKPOINT.text.replace("\n3\n", "\n03\n"),
        CHECKPOINT.text.replace(b64encode(b"r" * 32).decode(), b64encode(b"r" * 31).decode()),
    ],
)
def test_other_lines_are_no_checkpoint(text: str) -> None:
    with pytest.raises(InvalidCheckpoint, match="not the lines"):
        parse_checkpoint(text)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "is written"),
        ("name+00000000", "is written"),
        ("name+00000000+!", "is written"),
        ("na me+00000000+AQAA", "no spaces"),
        ("+00000000+AQAA", "no spaces"),
        ("name+00000000+AgAA", "Ed25519"),
        ("name+00000000+AQAA", "32 bytes"),
        (PETER.replace("c74f20a3", "c74f20a4"), "id is not"),
    ],
)
def test_a_key_that_cannot_be_used_is_refused(text: str, fault: str) -> None:
    with pytest.raises(InvalidKey, match=fault):
        PublicKey.parse(text)
    with pytest.raises(InvalidKey, match=fault):
        PrivateKey.parse(f"PRIVATE+KEY+{text}")
    with pytest.raises(InvalidKey, match="starts with"):
        PrivateKey.parse(text)


ROOT = b64encode(b"r" * 32).decode()


@pytest.mark.parametrize(
    "extensions",
    [
        "",
        "position 5\n",
        "an extension\n",
        "word\nposition x\nmade-at yesterday\n",
        "a: b\n\u2028odd\n",
        "timestamp 1772452800\nposition 5\n",
    ],
)
def test_a_checkpoint_that_another_program_made_is_read(extensions: str) -> None:
    key = PrivateKey.generate("log.example/2026")
    note = signed_note(f"log.example/2026\n3\n{ROOT}\n{extensions}", [key])

    found = opened_checkpoint(note, [key.public])

    assert (found.origin, found.size, found.root) == ("log.example/2026", 3, b"r" * 32)
    assert (found.position, found.made_at) == (None, None)


def test_our_extensions_are_read_between_others() -> None:
    lines = f"{CHECKPOINT.text}witness-hint w\n".split("\n")
    text = "\n".join([*lines[:3], "first", *lines[3:]])

    assert parse_checkpoint(text) == CHECKPOINT


@pytest.mark.parametrize(
    "text",
    [
        f"\n3\n{ROOT}\n",
        f"log\n03\n{ROOT}\n",
        f"log\n+3\n{ROOT}\n",
        f"log\n-3\n{ROOT}\n",
        f"log\n 3\n{ROOT}\n",
        f"log\n\u0663\n{ROOT}\n",
        f"log\n3\n{ROOT}",
        f"log\n3\n{ROOT[:-4]}\n",
        f"log\n3\n{ROOT}\n\nafter an empty line\n",
        "log\n3\n",
        "",
    ],
)
def test_what_is_written_otherwise_is_no_checkpoint(text: str) -> None:
    with pytest.raises(InvalidCheckpoint):
        parse_checkpoint(text)


def test_other_signatures_beside_ours_do_no_harm() -> None:
    """Such as a witness's, whose algorithm may be another."""
    key = PrivateKey.generate("milepost.example")
    witness = "\u2014 witness.example " + b64encode(b"idid" + b"x" * 72).decode() + "\n"

    note = f"{signed_note(CHECKPOINT.text, [key])}{witness}"

    assert opened_checkpoint(note, [key.public]) == CHECKPOINT
