"""The worker process that serves a causal LM."""
