"""Text that people write → checked values, with every problem at its line and column."""
