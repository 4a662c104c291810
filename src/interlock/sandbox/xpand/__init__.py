"""A stand-in for Xpand (ClustrixDB), which can't be had: a cluster in memory that answers at several addresses.

It speaks the real protocol: statements, and binary logs as replicas ask for them (COM_BINLOG_DUMP). Two of them replicate to each other by
named binlogs and named slaves. What it answers is what the documentation says; where that is silent, docs/servers/xpand.md tells what was
made up. Not in it: locks between sessions, a transaction's view of its own writes, any SQL beyond what SQLite takes.
"""
