"""Proving a generated client: a sandbox for its tests, the levels it climbs, the loop that repairs a red one."""
