"""Commands of an operator: orders about jobs, and what is done beside serving."""
