"""Serving: the server process and its workers."""
