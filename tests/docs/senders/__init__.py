"""The examples of docs/senders.md, run as they stand there."""
