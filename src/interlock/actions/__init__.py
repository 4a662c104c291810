"""One file an action: look, decide, which effects, how undone."""
