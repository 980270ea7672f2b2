"""The tree: hashes of the log in tiles, how they grow and what they prove."""
