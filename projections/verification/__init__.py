"""Verifying: the log against its tree, checkpoints, rows, snapshots, keys. It never writes."""
