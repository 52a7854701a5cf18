"""What CacheGen's codec costs and what each of its parts is worth, on the lab model.

texts.py      the KV that is profiled and the KV that is measured
sizes.py      a payload's bytes, by what they are spent on
trial.py      a codec at a level on all windows: size, distortion, KL
units.py      the unit of bins that was not taken: each token's root mean square
curves.py     sizes at equal quality
sections.py   the report's tables
"""
