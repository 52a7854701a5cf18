"""Where the exact scan should give way to the graph."""
