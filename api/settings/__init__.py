"""Settings: the environment, read once, and the credentials that the first start makes."""
