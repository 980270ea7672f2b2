"""The oracle: what must hold, from the truth and the words that were recorded."""
