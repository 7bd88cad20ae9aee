"""Whole stories, with real processes: the service, its Prefect API and its runner, driven as a person would."""
