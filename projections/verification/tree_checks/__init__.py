"""Checks of the log against its tree, checkpoints and proofs."""
