"""Runs of flows, each in a process that is forked from a warm one, so that a bad one ends alone."""
