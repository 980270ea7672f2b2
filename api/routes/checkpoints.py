"""Checkpoints and proofs: what others keep and check, so that they need not take our word."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from typing import Any, cast

from api.errors import EventNotFound
from api.http.access import principal, services
from api.http.answers import in_json
from api.http.blueprint import Blueprint
from api.http.messages import Answer
from api.representations.checkpoint import signed
from api.routes.jobs import show
from api.schemas.answers import ExtensionSchema, ProofSchema
from api.schemas.requests import ExtensionQuerySchema, ProofQuerySchema
from api.wiring import Services
from domain.errors import JobNotFound
from projections.tree.proofs import Root

bp = Blueprint("checkpoints", __name__, description="Evidence that nothing was changed")


@bp.route("/api/checkpoint")
@bp.needs("read")
@bp.response(200, content_type="text/plain")
@bp.problem(409, "The log lost or changed what was signed before")
def checkpoint() -> Answer:
    """Sign how far the log goes: C2SP's tlog-checkpoint, to be kept where nobody here can edit."""
    here = services()
    text = signed(here, here.evidence.root())
    return Answer(200, [("Content-Type", "text/plain; charset=utf-8")], text.encode())


@bp.route("/api/checkpoint/extension")
@bp.needs("read")
@bp.arguments(ExtensionQuerySchema, location="query")
@bp.response(200, ExtensionSchema)
@bp.problem(400, "Malformed")
@bp.problem(409, "The tree does not go as far yet")
def extension(query: dict[str, Any]) -> Answer:
    """Prove that the log still begins with what an older checkpoint was made of."""
    here = services()
    root, hashes = here.evidence.extension(query["first_size"], query.get("size"))
    return in_json({"first_size": query["first_size"], **_shown(here, root, hashes)})


@bp.route("/api/jobs/<id:job_id>/events/<int:version>/proof")
@bp.needs("read")
@bp.arguments(ProofQuerySchema, location="query")
@bp.response(200, ProofSchema)
@bp.problem(400, "Malformed")
@bp.problem(404, "No such event, or not yours")
@bp.problem(409, "The tree does not go as far yet")
def proof(query: dict[str, Any], job_id: str, version: int) -> Answer:
    """Prove that an event is in the log, unchanged, as far as a checkpoint goes."""
    here = services()
    instance = here.reader.instance(job_id)
    if instance is None and here.reader.instance(path := f"{job_id}/events/{version}/proof"):
        return cast(Answer, show(job_id=path))  # a job may be called so
    if instance is None or not principal().sees(instance.user_id):
        raise JobNotFound
    found = here.evidence.proof(job_id, version, query.get("size"))
    if found is None:
        raise EventNotFound(f"Job {job_id!r} has no version {version}.")
    return in_json(
        {
            "entry": found.event.entry.split(b"\n", 1)[0].decode(),
            "stored": _base64(found.event.state),
            "leaf_index": found.leaf_index,
            **_shown(here, found.root, found.hashes),
        }
    )


def _shown(here: Services, root: Root, hashes: Sequence[bytes]) -> dict[str, Any]:
    return {
        "tree_size": root.size,
        "root": _base64(root.root),
        "hashes": [_base64(each) for each in hashes],
        "checkpoint": signed(here, root),
    }


def _base64(raw: bytes) -> str:
    return b64encode(raw).decode()
