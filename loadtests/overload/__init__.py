"""A real arrival trace against an upstream too small for it, with and without adaptation."""
