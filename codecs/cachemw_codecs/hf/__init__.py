"""Between causal language models of Hugging Face transformers (5.x) and `LayerKV`s.

    captured = capture(model, ids)                            # prefill, keys before RoPE
    cache = restore(model, captured.layers, captured.positions)
    logits = continue_logits(model, cache, more_ids)          # goes on as if it had read `ids`

capture.py      prefill once, keep keys as they were before the rotary embedding
rotary.py       the rotary embedding, forth and back, in float32
restore.py      layers to a cache, and continuing from it
fingerprint.py  which model, tokenizer and rotary configuration wrote a cache

Importing this imports torch and not transformers: the model at hand has done that.
"""

from cachemw_codecs.hf.capture import Captured, capture
from cachemw_codecs.hf.fingerprint import fingerprint
from cachemw_codecs.hf.restore import continue_logits, differentiable_logits, restore

__all__ = [
    "Captured",
    "capture",
    "continue_logits",
    "differentiable_logits",
    "fingerprint",
    "restore",
]
