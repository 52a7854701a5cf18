"""What compressed KV costs in quality, by size: `python -m loadtests.kv.quality`."""
