"""HTTP for all routes: headers, bodies, access, problems, entity tags."""
