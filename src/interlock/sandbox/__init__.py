"""Private servers and a proxy on this machine; load writers, ledger, drill."""
