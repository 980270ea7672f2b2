"""The job.

Its facts, what a callback says, and what may happen next. Pure: no database, no library, no clock.
"""
