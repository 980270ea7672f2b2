"""Checks of the log against its tree and its checkpoints."""
