"""Schemas of requests and answers, for loading and for the OpenAPI document."""
