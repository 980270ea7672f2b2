"""Publishing: what happens is told to the proxies that hold streams for Milepost (GRIP)."""
