"""The demonstration session."""
