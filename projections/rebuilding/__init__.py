"""Rebuilding: fold the rows anew beside a running server, and swap the tables."""
