"""How fast compressed KV is written and read on a GPU."""
