"""Prefill: in full, or from stored chunks with a share of tokens recomputed."""
