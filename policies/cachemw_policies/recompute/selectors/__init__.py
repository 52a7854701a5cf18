"""Selectors, one a file; `table.py` names them."""
