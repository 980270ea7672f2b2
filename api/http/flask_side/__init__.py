"""The Flask side of HTTP: its application, its door, its blueprints, its paths and pages."""
