"""Facts and decisions: what happened to a provisioning job and what may happen next."""
