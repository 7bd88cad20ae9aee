"""Prefect flows: the order of the tasks, and how they may run beside each other."""
