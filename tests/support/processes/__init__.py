"""Real programs and machines: servers, proxies, accounts, disks."""
