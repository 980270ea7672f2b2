"""The reporter: the program with which workflows report, as this release has it."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Final

from flask import Blueprint, Response, send_file

bp = Blueprint("reporter", __name__)

NAME: Final = "milepost-report"
# In a checkout and in the wheel, the folder of the clients is beside that of `api`.
FILE: Final = Path(__file__).resolve().parents[3] / "clients" / "reporter" / "milepost_report.py"


@bp.get(f"/{NAME}")
def reporter() -> Response:
    """Send the program. It has no secret, so nobody needs a token for it."""
    return send_file(FILE, mimetype="text/x-python", download_name=NAME)


@bp.get(f"/{NAME}.sha256")
def digest() -> Response:
    """Send the program's SHA-256, as `sha256sum --check` reads it."""
    line = f"{sha256(FILE.read_bytes()).hexdigest()}  {NAME}\n"
    return Response(line, mimetype="text/plain")
