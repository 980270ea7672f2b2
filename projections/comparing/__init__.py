"""Comparing: fold a job's events, and compare its served rows with the result."""
