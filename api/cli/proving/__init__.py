"""Commands that prove whether somebody changed recorded events."""
