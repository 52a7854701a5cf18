"""What the semantic tier costs and what it wins, by category."""
