"""Verifying: hold the log against tree, checkpoints, rows, snapshots and keys; write nothing."""
