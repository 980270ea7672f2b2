"""Flask that verifies, parses and answers, and stores nothing."""

from __future__ import annotations

from typing import Any

from flask import Flask, jsonify

from bench.baselines import verified

app = Flask(__name__)


@app.post("/api/webhooks/github")
def callback() -> Any:
    """Check the signature, read the JSON, answer."""
    fields = verified()
    return jsonify(received=True, job_id=fields["job_id"])


@app.get("/api/agents/<agent_id>/instance")
def instance(agent_id: str) -> Any:
    """Answer with a constant."""
    return jsonify(instance={"id": "job-0", "agentId": agent_id, "status": "provisioning"})
