"""The server itself: its health, its metrics, its OpenAPI document and its reporter."""
