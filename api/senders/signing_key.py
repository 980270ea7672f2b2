"""One key that signs callbacks, in the forms that the signature schemes need."""

from __future__ import annotations

import base64
import hashlib
import hmac
from functools import cache, cached_property

from domain.job.mandate import Mandate


class SigningKey:
    """A secret that a sender shares with Milepost.

    `name` is what events call it, and `mandate` says which jobs its holder may report on; None for
    all.
    """

    def __init__(
        self, secret: str, mandate: Mandate | None = None, *, kind: str = "", root: str = ""
    ) -> None:
        self.secret = secret
        self.mandate = mandate
        self._kind = kind
        self._root = root or secret

    @cached_property
    def name(self) -> str:
        """The kind of the key, and eight digits that name the secret that it comes from."""
        return f"{self._kind}{key_id(self._root)}"

    def mac(self, message: bytes) -> hmac.HMAC:
        """Return the HMAC-SHA256 of a message under the secret's text."""
        # A copy of a keyed one costs half of hmac.digest, which also gives the interpreter away.
        mac = self._keyed.copy()
        mac.update(message)
        return mac

    def standard_mac(self, message: bytes) -> hmac.HMAC:
        """Return the HMAC-SHA256 of a message as Standard Webhooks sign it."""
        mac = self._keyed_as_standard.copy()
        mac.update(message)
        return mac

    @cached_property
    def _keyed(self) -> hmac.HMAC:
        return hmac.new(self.secret.encode(), digestmod="sha256")

    @cached_property
    def _keyed_as_standard(self) -> hmac.HMAC:
        return hmac.new(standard_key(self.secret), digestmod="sha256")


def standard_key(secret: str) -> bytes:
    """Return the key of a Standard Webhooks secret: base64 after `whsec_`, else the text itself."""
    if not secret.startswith("whsec_"):
        return secret.encode()
    return base64.b64decode(secret.removeprefix("whsec_"), validate=True)


@cache
def key_id(secret: str) -> str:
    """Return eight hex digits that name a secret in the log without helping to guess it."""
    # scrypt, so that trying out guesses against a leaked log is slow.
    salt = b"milepost key id"
    return hashlib.scrypt(secret.encode(), salt=salt, n=2**14, r=8, p=1, dklen=4).hex()
