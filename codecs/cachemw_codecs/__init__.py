"""KV-cache codecs and their container.

Knows tensors, not the service. The package exists so that the import direction is fixed from the
start; the codecs themselves arrive with the KV work.
"""
