"""Measurements: one module per claim; each claim is measured against a baseline in the same run."""
