"""Placing: which attempt each callback belongs to, decided when it is recorded."""
