"""Measurements that are run by hand: speed lives here, not in timed tests."""
