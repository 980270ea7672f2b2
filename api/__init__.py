"""HTTP, pages, command line and wiring."""
