"""Comparing: fold a job's events, and hold its served rows against what they come to."""
