"""Checkpoints and proofs: with them, others can check the log without trusting this server."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from typing import Any

from api.errors import EventNotFound
from api.http.answers import in_json
from api.http.callers import access
from api.http.callers.visibility import visible_job
from api.http.flask_side.blueprint import TEXT, Blueprint
from api.http.messages import Answer
from api.representations.checkpoint import signed
from api.routes.jobs.routes import of_longer_id
from api.schemas.answers import ExtensionSchema, ProofSchema
from api.schemas.requests import ExtensionQuerySchema, ProofQuerySchema
from api.wiring import Services
from projections.tree.proofs import Root

bp = Blueprint("checkpoints", __name__, description="Evidence that the log is unchanged")

NOT_DURABLE = "The synchronous standby may lack the newest events, or the database is away"


@bp.route("/api/checkpoint", operation="get_checkpoint")
@bp.needs("read")
@bp.response(200, TEXT, content_type="text/plain", description="A signed note")
@bp.problem(409, "The log lost or changed events that a checkpoint had signed")
@bp.problem(503, NOT_DURABLE)
def checkpoint() -> Answer:
    """Sign a checkpoint of the log (C2SP tlog-checkpoint). Keep it out of reach of this server."""
    services = access.services()
    text = signed(services, services.evidence.root())
    return Answer(200, [("Content-Type", "text/plain; charset=utf-8")], text.encode())


@bp.route("/api/checkpoint/extension", operation="prove_extension")
@bp.needs("read")
@bp.arguments(ExtensionQuerySchema, location="query")
@bp.response(200, ExtensionSchema)
@bp.problem(400, "Malformed, or no log of this size can extend the older one")
@bp.problem(404, "The log has fewer events than that")
@bp.problem(409, "The tree has not reached this size yet")
@bp.problem(503, NOT_DURABLE)
def extension(query: dict[str, Any]) -> Answer:
    """Prove that the log still begins with the events of an older checkpoint."""
    services = access.services()
    root, hashes = services.evidence.extension(query["first_size"], query.get("size"))
    return in_json({"first_size": query["first_size"], **_shown(services, root, hashes)})


@bp.route("/api/jobs/<id:job_id>/events/<int:version>/proof", operation="prove_event")
@bp.needs("read")
@bp.arguments(ProofQuerySchema, location="query")
@bp.response(200, ProofSchema)
@bp.problem(400, "Malformed, or the event is not among so many events")
@bp.problem(404, "No such event, or not yours, or the log has fewer events than that")
@bp.problem(409, "The tree has not reached this size yet")
@bp.problem(503, NOT_DURABLE)
def proof(query: dict[str, Any], job_id: str, version: int) -> Answer:
    """Prove that an event is unchanged in the log that a checkpoint signs."""
    services = access.services()
    instance = services.reader.instance(job_id)
    if instance is None and (longer := of_longer_id(f"{job_id}/events/{version}/proof")):
        return longer
    visible_job(instance, access.principal())
    proof = services.evidence.proof(job_id, version, query.get("size"))
    if proof is None:
        raise EventNotFound(f"Job {job_id!r} has no version {version}.")
    return in_json(
        {
            "entry": proof.event.entry.split(b"\n", 1)[0].decode(),
            "stored": _base64(proof.event.state),
            "leaf_index": proof.leaf_index,
            **_shown(services, proof.root, proof.hashes),
        }
    )


def _shown(services: Services, root: Root, hashes: Sequence[bytes]) -> dict[str, Any]:
    return {
        "tree_size": root.size,
        "root": _base64(root.root),
        "hashes": [_base64(each) for each in hashes],
        "checkpoint": signed(services, root),
    }


def _base64(raw: bytes) -> str:
    return b64encode(raw).decode()
