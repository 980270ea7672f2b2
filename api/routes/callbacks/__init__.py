"""Callbacks: the routes that workflows post to, and what becomes of what they post."""
