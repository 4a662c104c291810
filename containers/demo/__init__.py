"""What the containers of the demo run: it makes the pair, writes to it, moves the writes, and compares."""
