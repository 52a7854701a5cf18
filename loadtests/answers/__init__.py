"""How often the comparison of two answers is wrong."""
