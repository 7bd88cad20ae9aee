"""Usage: an append-only journal on the request's path, and its way into the catalogue."""
