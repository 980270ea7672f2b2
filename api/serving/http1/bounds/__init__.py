"""Bounds: what clients may take of a worker, and who makes way."""
