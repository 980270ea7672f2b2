"""Every test of a request is run at both doors: Flask's, and the front's."""

from tests.support.web.both_doors import databases, door, pytest_generate_tests, stores

__all__ = ["databases", "door", "pytest_generate_tests", "stores"]
