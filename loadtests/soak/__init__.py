"""A long mixed load on one cachemw, to see that nothing in it grows."""
