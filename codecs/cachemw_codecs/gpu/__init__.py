"""Coding and decoding on NVIDIA GPUs with Triton. Optional: nothing else imports this folder.

    decoder.py     payloads of the codec `transform` to caches: `TransformDecoder`
    encoder.py     and back: `TransformEncoder`
    batches.py     which rows of which chunks are encoded together
    layers.py      one layer's launches; layers on side streams
    staged.py      a layer's bytes and plan on the host
    plan.py        what the kernels are to do, checked
    coder.py       batches of rANS streams
    blocks.py      sixteen tokens' coefficients to tokens
    transform.py   escapes, and coordinates to keys and values
    quantise.py    coordinates to symbols
    *_kernels.py   what runs on the device

Only `decoder.py` and `encoder.py` know the format of payloads and calibration files.
"""
