"""Errors as problem documents (RFC 9457): which kind each is, and how it is written."""
