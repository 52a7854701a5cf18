"""KV codecs: quality, speed, damage, and the models to measure them on."""
