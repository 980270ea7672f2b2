"""Senders: the keys that sign callbacks, and which of them count at which URL."""
