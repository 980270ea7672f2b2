"""Who calls: by token or by signature, through which proxy, and what is logged of strangers."""
