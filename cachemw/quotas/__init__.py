"""What the store may hold: what is known of every entry, whose turn it is to go, who removes it."""
