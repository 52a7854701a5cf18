"""How well questions are put into their categories."""
