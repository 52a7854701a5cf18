"""Which tokens of reused passages to compute again: decisions over plain arrays."""
