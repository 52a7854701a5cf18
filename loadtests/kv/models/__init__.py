"""Models whose KV caches are measured: each with what turns text into its ids.

subject.py    what a loaded model is; the lab model; any directory or name
stories.py    stories260K, out of llama2.c's format
bpe.py        its tokenizer
"""

from loadtests.kv.models.stories import stories260k
from loadtests.kv.models.subject import Subject, lab, load

__all__ = ["Subject", "lab", "load", "stories260k"]
