"""The baselines of the measurements."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from typing import Any

from flask import Flask, abort, request

from api.serving.cores import OnOneCore
from bench.stage import SECRET


def verified() -> dict[str, Any]:
    """Return the request's callback; abort with 401 if its signature is wrong."""
    body = request.get_data()
    expected = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected, request.headers.get("X-Signature", "")):
        abort(401)
    callback: dict[str, Any] = json.loads(body)
    return callback


def placed(app: Flask) -> Flask:
    """Pin the answering threads to the core that BENCH_ONE_CORE names, as Milepost does."""
    if core := os.environ.get("BENCH_ONE_CORE"):
        app.wsgi_app = OnOneCore(app.wsgi_app, int(core))  # type: ignore[method-assign]
    return app
