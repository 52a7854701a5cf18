"""The engine: a causal LM behind the OpenAI API that keeps the KV of passages and reuses it.

A request's path: prompt/ cuts it into segments; reuse/ prefills it, from the KV in chunks/ where
that serves; batch.py generates. model/ and attention/ are the arithmetic.
"""
