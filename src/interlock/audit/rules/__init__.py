"""The rules, a file for each question or two. Each is a pure function over `facts.PairSeen`."""
