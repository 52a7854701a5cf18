"""CacheGen (SIGCOMM 2024, arXiv 2310.07240), section 5.1, as in the paper.

rows.py       a layer as rows; anchors and deltas
steps.py      what is an anchor, what a delta, and the steps both are quantised with
symbols.py    rows of whole numbers as symbols of a stream, and what no symbol stands for
codec.py      `CacheGen`: a layer to bytes and back
tables.py     the calibration file: its format, and loading it without trusting it
profile.py    `profile`: samples of a model's KV to that file
sharing.py    which channels share a table

From the paper: groups of ten tokens, the first of each an anchor of 8 bits, the others coded as
deltas to the decoded anchor; bins of 0.5, 1 and 1.5 for the first, middle and last third of layers;
a static distribution for each layer, keys or values, and channel, apart for anchors and deltas,
profiled offline once a model.

Own design, where the paper is silent:

* The unit of the bins is the channel's profiled standard deviation of deltas. The alternative, the
  root mean square of a token's vector sent with it, was measured and was worse
  (loadtests/reports/kv-cachegen.md).
* Anchors have one scale a token and keys or values, the largest magnitude over all channels by 127,
  rounded up to an eighth of an octave and entropy-coded like everything else.
* Levels multiply the bins by 1, 3, 5, 11, 17, 25 and 41 elevenths; "medium" is the paper's.
* Values that no symbol stands for are kept as they are, behind the streams.
* `delta=False` at profiling gives the same codec without anchors: each token is coded directly. On
  the lab model that is the smaller one at every quality, because neighbouring tokens are hardly
  alike there and an anchor of 8 bits is dear (same report).
"""

from cachemw_codecs.codecs.cachegen.codec import CacheGen
from cachemw_codecs.codecs.cachegen.profile import profile
from cachemw_codecs.codecs.cachegen.tables import Tables

__all__ = ["CacheGen", "Tables", "profile"]
