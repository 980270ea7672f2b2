"""Streams: what clients watch live, on the front's event loop."""
