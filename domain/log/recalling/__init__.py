"""Recalling jobs: their states, folded from the log, from snapshots, and from a cache."""
