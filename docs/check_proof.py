"""Check that an event is in Milepost's log, without Milepost: check_proof.py PROOF [CHECKPOINT].

PROOF is the answer of GET /api/jobs/JOB/events/VERSION/proof (RFC 9162, 2.1.3.2). CHECKPOINT is a
checkpoint that you kept yourself. Its second line is the size to ask for: get the proof with
?size=SIZE. The option --key name+id+key also checks the signature, and needs the `cryptography`
package.
"""

import argparse
import hashlib
import json
import sys
from base64 import b64decode, b64encode
from pathlib import Path


def root(proof):
    """Return the root hash that the event and the proof's hashes lead to, in base64."""
    leaf = proof["entry"].encode() + b"\n" + b64decode(proof["stored"])
    found = hashlib.sha256(b"\0" + leaf).digest()
    at, last = proof["leaf_index"], proof["tree_size"] - 1
    for sibling in map(b64decode, proof["hashes"]):
        if last == 0:
            return "nowhere"  # the path has ended, the proof has not
        is_right = at % 2 == 1 or at == last
        pair = sibling + found if is_right else found + sibling
        found = hashlib.sha256(b"\1" + pair).digest()
        while is_right and at % 2 == 0 and at > 0:
            at, last = at // 2, last // 2
        at, last = at // 2, last // 2
    return b64encode(found).decode() if at == last == 0 else "nowhere"


def is_signed(checkpoint, key):
    """Tell whether this key signed the checkpoint (C2SP signed-note, Ed25519)."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    name, key_id, public = key.strip().split("+", 2)
    text, _, signatures = checkpoint.rpartition("\n\n")
    for line in signatures.splitlines():
        _, signer, signature = line.split(" ")
        raw = b64decode(signature)
        if (signer, raw[:4].hex()) == (name, key_id):
            try:
                verifier = Ed25519PublicKey.from_public_bytes(b64decode(public)[1:])
                verifier.verify(raw[4:], f"{text}\n".encode())
            except InvalidSignature:
                return False
            return True
    return False


def fault(proof, checkpoint, key):
    """Return what is wrong with the proof, None if it holds."""
    size, signed_root = checkpoint.split("\n")[1:3]
    if int(size) != proof["tree_size"]:
        return f"the proof is for {proof['tree_size']} events, the checkpoint for {size}"
    if not 0 <= proof["leaf_index"] < proof["tree_size"]:
        return "the tree does not have the proof's leaf"
    if root(proof) != signed_root:
        return "the event and the hashes do not lead to the checkpoint's root"
    if key and not is_signed(checkpoint, key):
        return "the checkpoint is not signed by this key"
    return None


def main():
    """Print whether the proof holds; exit with 1 if it does not."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("proof", type=Path, help="a file with the server's answer")
    parser.add_argument(
        "checkpoint",
        type=Path,
        nargs="?",
        help="the checkpoint that you kept; without it, the server's own",
    )
    parser.add_argument("--key", help="the public key that the log's operator published")
    given = parser.parse_args()
    try:
        proof = json.loads(given.proof.read_text(encoding="utf-8"))
        kept = given.checkpoint.read_text(encoding="utf-8") if given.checkpoint else None
        wrong = fault(proof, kept or proof["checkpoint"], given.key)
    except (ImportError, LookupError, OSError, TypeError, ValueError) as error:
        parser.error(f"cannot tell: {type(error).__name__}: {error}")
    if wrong:
        print(f"does not hold: {wrong}")
        sys.exit(1)
    print(f"holds: {proof['entry']} is in the log of {proof['tree_size']} events")
    if not given.key:
        print("the signature of the checkpoint was not checked: no --key was given")
    if not kept:
        print("the checkpoint is the server's own word: give the checkpoint that you kept")


if __name__ == "__main__":
    main()
