"""Folding: from stored events and rows to present states, with snapshots for long jobs."""
