"""Checks of what is derived from the log: rows, snapshots, keys and set-aside events."""
