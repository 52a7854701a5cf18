"""Codecs of others, rebuilt from their papers or their released code, to compare with."""
