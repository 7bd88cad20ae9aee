"""Limits that several routers keep together: each amount is granted by Redis, once, and nothing of it without one."""
