"""Databases of a test whose run on PostgreSQL takes so long that it is a drill."""

from __future__ import annotations

import pytest

POSTGRES_IN_A_DRILL = ["sqlite", pytest.param("postgres", marks=pytest.mark.survive)]
on_each_database = pytest.mark.parametrize("database_url", POSTGRES_IN_A_DRILL, indirect=True)
