"""Interlock moves the writes of a MySQL-family master-master pair, and never lets both sides take the same write."""

__version__ = "0.1.0"
