"""Jobs: the routes that register, list, show and order them."""
