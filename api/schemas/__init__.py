"""Schemas: what requests and answers look like, for loading and for the OpenAPI document."""
