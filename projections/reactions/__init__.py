"""Reactions: what Milepost does by itself when a job needs it."""
