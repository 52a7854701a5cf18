"""The model layer by layer."""
