"""Commands. They hold no decisions."""
