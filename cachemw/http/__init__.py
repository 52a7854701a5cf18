"""The HTTP surface: raw ASGI on the hot path."""
