"""Measurements: one module per claim, each against a baseline in the same run."""
