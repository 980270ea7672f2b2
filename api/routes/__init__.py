"""Routes: each file has one blueprint."""
