"""Document stores, one per file."""
