"""A stand-in for ProxySQL, which can't be had on every machine: its admin tables and commands, and a traffic port that holds statements.

It speaks the real protocol on both ports: SQL on SQLite tables of ProxySQL's own layout, texts in every column, its one error number for
every error; clients' statements go one by one, over a pool of connections, to a server of their hostgroup that is ONLINE, or wait while
there is none. It is a stand-in: docs/routes/proxysql.md says what it does not do.
"""
