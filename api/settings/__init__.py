"""Settings: the environment, read once, and the credentials made at the first start."""
