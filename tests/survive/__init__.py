"""What a receipt survives: failovers of real clusters, and a rolling restart behind a balancer."""
