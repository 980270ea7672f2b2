"""Connections to the database of each kind, with their transactions and locks."""

CONNECTIONS = 8
"""How many connections a process holds to PostgreSQL at most, unless it is set otherwise.

One commits, one reads for the event loop, and the threads of Flask share the others.
"""
