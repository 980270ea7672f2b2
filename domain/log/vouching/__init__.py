"""Evidence waits for durability: nothing is signed that a failover may take back."""
