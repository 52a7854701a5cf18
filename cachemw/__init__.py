"""cachemw: a caching middleware for LLMs, see README.md."""

__version__ = "0.1.0"
