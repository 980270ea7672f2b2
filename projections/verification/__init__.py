"""Verifying: the log against its tree, checkpoints, rows and keys. It reads and never writes."""
