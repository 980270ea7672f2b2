"""Jobs, their facts, and what must be shown of them."""
