"""Representations: states and events as the JSON that answers carry."""
