"""Looks at every known provider again: what the sources say of it now, against what they said before."""
