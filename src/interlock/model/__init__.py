"""Frozen facts, with no I/O: what a pair is, what was seen of it, what may be done to it, and what was decided."""
