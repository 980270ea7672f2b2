"""Filling an empty store with the events of another one, a file for each database."""
