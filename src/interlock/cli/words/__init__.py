"""What can be typed: the words of each family of commands, and what they have in common."""
