"""Pairs of questions written by hand to mislead a semantic cache, and what it does with them."""
