"""Entropy coding: models of symbols (`frequencies`) apart from the coder (`rans`)."""
