"""Reading the log: one contract, and one reader for each kind of database."""
