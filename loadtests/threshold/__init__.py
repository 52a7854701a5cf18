"""What a single similarity threshold is worth."""
