"""Attacks, in tables: what a hostile list, provider, name or file says, and how each is refused."""
