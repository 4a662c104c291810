"""A pair in memory, with a virtual clock, for tests and for trying playbooks."""
