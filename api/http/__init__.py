"""What every request needs, whatever its route: headers, bodies, access, problems, entity tags."""
