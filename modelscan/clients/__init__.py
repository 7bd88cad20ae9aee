"""Published clients as the router knows them: read, never run."""
