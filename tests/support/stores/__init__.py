"""Stores to test on, and what becomes of them in other hands."""
