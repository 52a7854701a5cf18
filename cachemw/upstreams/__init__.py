"""OpenAI-compatible backends."""
