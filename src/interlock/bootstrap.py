"""The only place that picks real drivers."""
