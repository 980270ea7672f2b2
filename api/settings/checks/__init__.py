"""Checks of variables: each function returns a checked value or raises `InvalidSetting`."""
