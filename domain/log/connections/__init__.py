"""Connections to the database of each kind, with their transactions and locks."""
