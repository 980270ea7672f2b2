"""Drawings of a job: the timeline to scale."""
