"""From messages and documents to segments of tokens."""
