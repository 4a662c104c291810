"""The places from which a cluster's master is looked at, all at once: each looks anew, each is bounded by itself, and none raises."""
