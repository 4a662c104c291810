"""A run as text, JSON and timeline."""
