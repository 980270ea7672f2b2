"""The tree: hashes of the log in tiles, their growth, and the proofs that they give."""
