"""Settings under which events are stored encrypted, or compressed."""

from __future__ import annotations

from base64 import b64encode

CIPHER = {
    "CIPHER_TOPIC": "eventsourcing.cryptography:AESCipher",
    "CIPHER_KEY": b64encode(bytes(range(32))).decode(),
}
COMPRESSOR = {"COMPRESSOR_TOPIC": "zlib"}
