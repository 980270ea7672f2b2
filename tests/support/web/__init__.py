"""The web application over a store, and clients of every kind."""
