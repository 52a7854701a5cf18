"""Differences between two questions that a similarity does not see."""
