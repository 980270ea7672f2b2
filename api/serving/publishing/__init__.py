"""Publishing: Milepost sends each event to the proxies that hold streams for it (GRIP)."""
