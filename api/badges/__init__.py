"""Badges and icons: a job's state as a small image. Nothing here reads a store or a request."""
