"""One playbook on many pairs: each in a process of its own, a few at once, and no more once too many have failed."""
