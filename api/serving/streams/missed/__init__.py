"""What a reader missed: its stream sends these events first, page by page, and then live ones."""
