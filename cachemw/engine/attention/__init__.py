"""Attention of scattered queries over one sequence's keys."""
