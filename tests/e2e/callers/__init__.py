"""Other people's clients against the router, unchanged but for base URL and key."""
