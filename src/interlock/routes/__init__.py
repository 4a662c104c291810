"""Drivers for what sends clients to a server."""
