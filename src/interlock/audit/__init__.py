"""Is this pair fit for master-master? The operators' checklist, answered from the live pair (docs/audit.md)."""
