"""Keeps the KV of passages: variants by key, in memory and on disk."""
