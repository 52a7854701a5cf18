"""The engine: a causal LM behind the OpenAI API that keeps the KV of passages and reuses it.

Not there yet as a whole (DESIGN.md). prompt/ cuts a request into segments; reuse/ prefills it, in
full so far; chunks/ is the interface of a store. model/ and attention/ are the arithmetic.
"""
