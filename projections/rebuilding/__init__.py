"""Rebuilding: making the rows anew beside a running server."""
