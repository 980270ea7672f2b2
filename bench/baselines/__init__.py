"""What Milepost is measured against."""

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
    """Return the callback in the request, as every baseline does first; 401 if it is not signed."""
    body = request.get_data()
    expected = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected, request.headers.get("X-Signature", "")):
        abort(401)
    told: dict[str, Any] = json.loads(body)
    return told


def placed(app: Flask) -> Flask:
    """Keep the threads that answer on the core that BENCH_ONE_CORE names, as Milepost's are."""
    if core := os.environ.get("BENCH_ONE_CORE"):
        app.wsgi_app = OnOneCore(app.wsgi_app, int(core))  # type: ignore[method-assign]
    return app
