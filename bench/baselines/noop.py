"""Flask that verifies, parses and answers, and does nothing."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

from flask import Flask, jsonify, request

from bench.stage import SECRET

app = Flask(__name__)


@app.post("/api/webhooks/github")
def callback() -> Any:
    """Check the signature, read the JSON, answer."""
    body = request.get_data()
    expected = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected, request.headers.get("X-Signature", "")):
        return jsonify(error="Invalid signature"), 401
    return jsonify(received=True, job_id=json.loads(body)["job_id"])


@app.get("/api/agents/<agent_id>/instance")
def instance(agent_id: str) -> Any:
    """Answer a constant."""
    return jsonify(instance={"id": "job-0", "agentId": agent_id, "status": "provisioning"})
