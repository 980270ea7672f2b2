"""Absence: a real server is frozen, loses its database, or its clock is set.

`python -m tests.drill absence` takes real minutes. It checks that no job that is alive is given up,
and that a dead one is given up in time.
"""
