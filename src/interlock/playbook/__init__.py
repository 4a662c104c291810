"""YAML text → a checked playbook: every problem at once, with its line; expressions; the graph; the JSON Schema."""
