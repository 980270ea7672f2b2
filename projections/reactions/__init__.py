"""Reactions: chores in which Milepost itself acts on a job, such as the watchdog."""
