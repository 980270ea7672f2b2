"""What is counted, over all processes of a server."""
