"""What closes a server from outside when it can't be asked any more."""
