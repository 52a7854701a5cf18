"""The codec `transform`: KV in the coordinates in which an equal error costs the model equally.

    calibrate.py     model and texts -> the calibration file
    sensitivity.py   how much the model's answer suffers from an error in each coordinate
    basis.py         the coordinates: Karhunen-Loeve in the metric of that sensitivity
    classes.py       parametric frequency tables by scale and shape
    blocks.py        sixteen tokens at a time, by frequency
    fitting.py       which table each coordinate has; steps by place and by frequency
    levels.py        steps by level, from the divergence they cause
    tables.py        the calibration file
    zones.py         which tokens get finer steps: sinks, and the end of the context
    coordinates.py   rows to coordinates in steps, and back
    quantise.py      dead-zone quantisation and its undoing
    payload.py       the bytes of one layer

The codec itself is `cachemw_codecs.codecs.transform`.
"""

from cachemw_codecs.transform.calibrate import calibrate
from cachemw_codecs.transform.tables import TransformTables

__all__ = ["TransformTables", "calibrate"]
