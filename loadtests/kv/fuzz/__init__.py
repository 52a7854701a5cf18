"""Mutated files against the decoders: `python -m loadtests.kv.fuzz`."""
