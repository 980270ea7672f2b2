"""Checkpoints and proofs over HTTP, checked as somebody does who does not trust the server."""

from __future__ import annotations

import json
import subprocess
import sys
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any

import pytest

from domain.evidence import merkle
from domain.evidence.checkpoint import Checkpoint, parse_checkpoint
from domain.evidence.signed_note import opened_note
from domain.evidence.signing_keys import PrivateKey
from projections.tree.grower import Grower
from tests.support.stores.tampering import Database
from tests.support.web.site import SIGNER, Site, body_of, problem_of

SCRIPT = Path(__file__).parents[3] / "docs" / "check_proof.py"
PROOF = "/api/jobs/job-1/events/2/proof"


def grow(site: Site) -> None:
    """Let the tree catch up."""
    Grower(site.deployment.tree).catch_up()


def lived(site: Site, more: int = 5) -> None:
    """Let a job have some history, and the tree know it."""
    site.register()
    site.report(status="provisioning", step="vm_created")
    for _ in range(more):
        site.report(type="heartbeat")
    grow(site)


def opened(note: str) -> Checkpoint:
    """Return a checkpoint that our key signed."""
    return parse_checkpoint(opened_note(note, [SIGNER.public])[0])


def check(tmp_path: Path, proof: dict[str, Any], *options: str, note: str = "") -> tuple[int, str]:
    """Run the auditor's script as it stands in the documentation."""
    (tmp_path / "proof.json").write_text(json.dumps(proof))
    arguments = [str(tmp_path / "proof.json")]
    if note:
        (tmp_path / "checkpoint").write_text(note)
        arguments.append(str(tmp_path / "checkpoint"))
    done = subprocess.run(
        [sys.executable, "-W", "error", str(SCRIPT), *arguments, *options],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return done.returncode, done.stdout


def test_a_checkpoint_says_how_far_the_log_goes_and_is_signed(site: Site) -> None:
    lived(site)

    answer = site.get("/api/checkpoint", site.token("read"))

    assert answer.status_code == 200
    assert answer.content_type == "text/plain; charset=utf-8"
    made = opened(answer.text)
    events = site.deployment.tree.log.events(0, 100)
    frontier = merkle.Frontier().grown(event.leaf for event in events)
    assert made == Checkpoint(
        SIGNER.name, len(events), frontier.root, site.position, site.clock.now
    )


def test_a_checkpoint_of_an_empty_log_can_be_had(memory_site: Site) -> None:
    assert opened(memory_site.get("/api/checkpoint").text).size == 0


def test_a_proof_has_all_that_the_script_needs(site: Site, tmp_path: Path) -> None:
    lived(site)

    proof = site.read(PROOF)

    stored = site.deployment.tree.log.events(0, 100)[1]
    assert proof["entry"] == f'[{stored.position},"job-1",2,"{stored.topic}"]'
    assert b64decode(proof["stored"]) == stored.state
    made = opened(proof["checkpoint"])
    assert (made.size, b64encode(made.root).decode()) == (proof["tree_size"], proof["root"])
    status, said = check(tmp_path, proof, "--key", str(SIGNER.public))
    assert (status, said.splitlines()[0]) == (
        0,
        f"holds: {proof['entry']} is in the log of 7 events",
    )
    assert "the server's own word" in said
    assert "no --key" in check(tmp_path, proof, note=proof["checkpoint"])[1]
    kept = check(tmp_path, proof, "--key", str(SIGNER.public), note=proof["checkpoint"])
    assert kept == (0, f"{said.splitlines()[0]}\n")


def test_the_script_sees_whatever_is_changed(memory_site: Site, tmp_path: Path) -> None:
    lived(memory_site)
    proof = memory_site.read(PROOF)
    wrong = b64encode(b"w" * 32).decode()
    later = [
        {"entry": proof["entry"].replace("job-1", "job-2")},
        {"stored": b64encode(b64decode(proof["stored"]) + b" ").decode()},
        {"leaf_index": proof["leaf_index"] + 1},
        {"leaf_index": proof["tree_size"]},
        {"tree_size": proof["tree_size"] - 1},
        {"hashes": proof["hashes"][:-1]},
        {"hashes": [*proof["hashes"], wrong]},
        {"hashes": [wrong, *proof["hashes"][1:]]},
        {"checkpoint": proof["checkpoint"].replace(proof["root"], wrong)},
    ]
    for change in later:
        status, said = check(tmp_path, {**proof, **change})
        assert (status, said.partition(":")[0]) == (1, "does not hold"), change

    other = str(PrivateKey.generate(SIGNER.name).public)
    assert check(tmp_path, proof, "--key", other)[0] == 1
    text = proof["checkpoint"].replace("position 7", "position 8")
    forged = {**proof, "checkpoint": text}
    assert check(tmp_path, forged)[0] == 0, "what the tree does not say, only the signature does"
    assert check(tmp_path, forged, "--key", str(SIGNER.public))[0] == 1


@pytest.mark.parametrize(
    ("proof", "checkpoint", "key"),
    [
        (None, "proof.json", "a+b+c"),
        ("checkpoint", "checkpoint", "a+b+c"),
        ("proof.json", "proof.json", "a+b+c"),
        ("proof.json", "checkpoint", "nonsense"),
    ],
)
def test_the_script_says_what_it_cannot_read(
    memory_site: Site, tmp_path: Path, proof: str | None, checkpoint: str, key: str
) -> None:
    lived(memory_site)
    (tmp_path / "proof.json").write_text(json.dumps(memory_site.read(PROOF)))
    (tmp_path / "checkpoint").write_text(memory_site.get("/api/checkpoint").text)

    done = subprocess.run(
        [sys.executable, str(SCRIPT), proof or "missing", checkpoint, "--key", key],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout) == (2, "")
    assert "error: cannot tell: " in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_an_event_is_proven_to_be_in_a_checkpoint_that_was_kept(
    memory_site: Site, tmp_path: Path
) -> None:
    lived(memory_site)
    kept = memory_site.get("/api/checkpoint").text
    memory_site.report(type="heartbeat")
    grow(memory_site)

    proof = memory_site.read(f"{PROOF}?size=7")

    assert check(tmp_path, proof, "--key", str(SIGNER.public), note=kept)[0] == 0
    status, said = check(tmp_path, memory_site.read(PROOF), note=kept)
    assert (status, said) == (
        1,
        "does not hold: the proof is for 8 events, the checkpoint for 7\n",
    )


def test_a_kept_checkpoint_is_proven_to_be_extended(site: Site) -> None:
    lived(site)
    kept = opened(site.get("/api/checkpoint").text)
    site.report(type="heartbeat")
    grow(site)

    found = site.read("/api/checkpoint/extension?first_size=7")

    made = opened(found["checkpoint"])
    assert (found["first_size"], found["tree_size"], made.size) == (7, 8, 8)
    hashes = [b64decode(each) for each in found["hashes"]]
    merkle.check_consistency(kept.size, kept.root, made.size, made.root, hashes)


def test_an_event_that_the_tree_has_not_reached_can_be_asked_for_again(site: Site) -> None:
    site.register()
    grow(site)
    site.report(status="provisioning")

    answer = site.get(PROOF)

    problem_of(answer, 409, "not-in-tree-yet")
    assert int(answer.headers["Retry-After"]) > 0
    grow(site)
    assert site.get(PROOF).status_code == 200


def test_an_extension_that_the_tree_has_not_reached_can_be_asked_for_again(site: Site) -> None:
    site.register()
    grow(site)
    site.report(status="provisioning")

    for query in ("first_size=2", "first_size=1&size=2", "first_size=2&size=2"):
        path = f"/api/checkpoint/extension?{query}"
        answer = site.get(path)
        problem = problem_of(answer, 409, "not-in-tree-yet")
        assert problem["detail"].startswith("The tree has 1 events so far, and 2 are wanted.")
        assert int(answer.headers["Retry-After"]) > 0
    grow(site)
    assert site.get("/api/checkpoint/extension?first_size=2").status_code == 200


def test_what_no_log_of_this_size_can_prove_is_said_so(site: Site) -> None:
    lived(site)

    for path, status, slug, words in (
        (f"{PROOF}?size=1", 400, "no-such-proof", "not among the first 1 events"),
        (f"{PROOF}?size=8", 404, "no-such-tree", "The log has 7 events, so there is no tree of 8."),
        ("/api/checkpoint/extension?first_size=8", 404, "no-such-tree", "The log has 7 events"),
        ("/api/checkpoint/extension?first_size=1&size=8", 404, "no-such-tree", "has 7 events"),
        ("/api/checkpoint/extension?first_size=5&size=4", 400, "no-such-proof", "of 4 events"),
        ("/api/checkpoint/extension?first_size=9&size=8", 400, "no-such-proof", "of 8 events"),
    ):
        answer = site.get(path)

        problem = problem_of(answer, status, slug)
        assert words in problem["detail"], path
        assert "Retry-After" not in answer.headers


@pytest.mark.parametrize("version", [2**62, 2**63 - 1, 2**63, 10**30, 10**4000])
def test_an_event_of_any_number_is_looked_for_in_every_store_alike(
    site: Site, version: int
) -> None:
    lived(site)

    problem_of(site.get(f"/api/jobs/job-1/events/{version}/proof"), 404, "event-not-found")


def test_what_is_not_there_or_not_yours_is_not_found(site: Site) -> None:
    lived(site)
    bob = site.token("read", user_id="bob")
    ada = site.token("read", user_id="user-1")

    problem_of(site.get("/api/jobs/job-1/events/99/proof"), 404, "event-not-found")
    problem_of(site.get("/api/jobs/job-1/events/0/proof"), 404, "event-not-found")
    problem_of(site.get("/api/jobs/job-9/events/1/proof"), 404, "job-not-found")
    problem_of(site.get(PROOF, bob), 404, "job-not-found")
    assert site.get(PROOF, ada).status_code == 200
    assert site.get("/api/checkpoint", bob).status_code == 200
    for path in (PROOF, "/api/checkpoint", "/api/checkpoint/extension?first_size=1"):
        problem_of(site.get(path, "nonsense"), 401)
        problem_of(site.get(path, site.token("write")), 403)


@pytest.mark.parametrize("size", ["0", "-1", "x", "9223372036854775808", ""])
def test_a_size_that_is_none_is_refused(memory_site: Site, size: str) -> None:
    lived(memory_site)

    problem_of(memory_site.get(f"{PROOF}?size={size}"), 400, "invalid-fields")
    problem_of(memory_site.get(f"{PROOF}?sizes=1"), 400, "invalid-fields")
    path = f"/api/checkpoint/extension?first_size={size}"
    problem_of(memory_site.get(path), 400, "invalid-fields")
    problem_of(memory_site.get("/api/checkpoint/extension"), 400, "invalid-fields")


def test_a_job_whose_name_looks_like_a_proof_is_shown(memory_site: Site) -> None:
    memory_site.register("a/events/1/proof")

    assert memory_site.read("/api/jobs/a/events/1/proof")["id"] == "a/events/1/proof"


def test_a_job_with_slashes_in_its_name_has_proofs(site: Site) -> None:
    site.register("a/b", "agent-2")
    grow(site)

    assert site.read("/api/jobs/a/b/events/1/proof")["entry"] == '[1,"a/b",1,"JobQueued"]'


def test_a_shorter_tree_is_signed_only_with_its_last_event_in_the_log(database_site: Site) -> None:
    lived(database_site)
    Database(database_site.deployment).run(
        "UPDATE milepost_events SET topic = 'HeartbeatReceived ' WHERE notification_id = ?", [2]
    )
    extension = "/api/checkpoint/extension?first_size=1&size="

    problem_of(database_site.get(f"{extension}2"), 409, "log-altered")
    assert database_site.get(f"{extension}3").status_code == 200


def test_what_was_changed_is_neither_signed_nor_proven(database_site: Site) -> None:
    lived(database_site)
    database = Database(database_site.deployment)
    for position in (2, 7):
        database.run(
            "UPDATE milepost_events SET topic = 'HeartbeatReceived ' WHERE notification_id = ?",
            [position],
        )

    altered = problem_of(database_site.get(PROOF), 409, "log-altered")
    assert altered["detail"].endswith("not what was hashed. milepost verify shows the differences.")
    problem_of(database_site.get("/api/checkpoint"), 409, "log-altered")
    ready = database_site.client.get("/readyz")
    assert ready.status_code == 200
    assert "position 7" in body_of(ready)["tree"]


def test_without_a_key_nothing_is_signed(memory_site: Site) -> None:
    keyless = Site(memory_site.deployment, checkpoint_keys=())
    lived(keyless)

    problem_of(keyless.get("/api/checkpoint"), 409, "no-checkpoint-key")
    problem_of(keyless.get(PROOF), 409, "no-checkpoint-key")


def test_while_keys_rotate_every_key_signs(memory_site: Site) -> None:
    new = PrivateKey.generate(SIGNER.name)
    keys = (new.secret(), SIGNER.secret())
    rotating = Site(memory_site.deployment, checkpoint_keys=keys)
    lived(rotating)

    note = rotating.get("/api/checkpoint").text

    assert opened_note(note, [new.public])[0] == opened_note(note, [SIGNER.public])[0]
