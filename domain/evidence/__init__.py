"""Evidence: the Merkle tree's arithmetic (RFC 9162) and signed checkpoints (C2SP)."""
