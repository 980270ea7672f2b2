"""Folding: stored events and rows become states, with snapshots of long jobs."""
