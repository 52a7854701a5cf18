"""KV-cache codecs and their container. Knows tensors, not the service; usable alone.

    hf          a model's cache to layers, keys before RoPE; and back
    table       the codecs by name; the calibrated ones need their model's file
    container   layers to a file and back, each layer readable alone
    gpu         decoding on a GPU, layer by layer
    errors      the tree of all that is raised

`python -m cachemw_codecs measure --model M` compresses the cache of a model and prints what it
cost. DESIGN.md beside this file says why things are as they are.
"""
