"""Pure judgements: facts in, verdict out. No I/O, no time, no state."""
