"""The run: states, journal, interlock, forward, back, resume, plan."""
