"""A sandbox like another pair: its releases, settings, schema, accounts of segments, routes and segments, without its data."""
