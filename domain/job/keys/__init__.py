"""Unique names, and the rule which of them an event takes."""
