"""Text to vectors: sentence-transformers models on the runtime that is fastest here.

settings.py         what is configured
load.py             the table of runtimes; tries them in order, says which one and why
choice.py           which runtimes to try and in which precision, for the verifier as well
model_files.py      finds a model's files and fingerprints them, without importing torch
prepare.py          has a graph exported once, into a directory named after all it depends on
export.py           the child process that exports; the only one that imports torch
verify.py           sentences on which a graph must equal the reference, and the bar
graph_embedder.py   tokens -> padded batches -> a runtime's session -> vectors
openvino_runtime.py onnx_runtime.py torch_runtime.py    one runtime each
batcher.py          micro-batches off the event loop; recent.py remembers recent texts
"""
