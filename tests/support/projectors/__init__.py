"""Projectors, their chores and clocks, and what verifies their rows."""
