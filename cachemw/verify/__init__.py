"""Whether the answer to one question answers another: models that read both.

base.py             what a verifier is
settings.py         what is configured
load.py             the table of verifiers; loads one on the first runtime that serves it
shipped.py          the shipped one: cross_encoder.py's logit, and trees over it
cross_encoder.py    pairs -> tokens -> padded batches -> a runtime's session -> logits
files.py            its files, and what its graph is named after
torch_model.py      its encoder on torch: the reference, and the last resort
export.py           the child process that exports it; probes.py says how equal is equal
named.py            any CrossEncoder of sentence-transformers
lane.py             the thread that owns a verifier, and the short wait for it
"""
