"""A callback as a command that sends it again, with the secret as a variable of the shell.

The page never has a secret or a signature: openssl computes the signature where the line is run.
"""

from __future__ import annotations

from shlex import quote
from typing import Final

from api.http.callback_paths import CALLBACK_PATHS, path_of
from api.http.callers.address import base_url
from api.wiring import Services
from domain.shell_words import shell_word

SIGNATURE: Final = (
    '$(printf %s "$BODY" | openssl dgst -sha256 -hmac "$CALLBACK_SECRET" -r | cut -d " " -f 1)'
)


def callback_line(url: str, body: str) -> str:
    """Return the command that signs a body and sends it to a URL."""
    # A refused body may begin with @, and curl's --data-binary would send the file of that name.
    return (
        f"BODY={shell_word(body)}; "
        f'curl -sS {quote(url)} -H "X-Signature: {SIGNATURE}" --data-raw "$BODY"'
    )


def callback_url(services: Services, job_id: str | None = None) -> str:
    """Return the URL for every job's callbacks; with `job_id`, that of one job."""
    return base_url(services.settings.public_url) + (
        CALLBACK_PATHS[0] if job_id is None else path_of(job_id)
    )
