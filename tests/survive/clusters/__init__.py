"""Clusters of PostgreSQL whose primaries may be killed."""
