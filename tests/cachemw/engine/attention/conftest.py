"""The kernels' tests need Triton's interpreter from the very start of a process, or a GPU."""

import os

import torch

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
ON_GPU = torch.cuda.is_available() and not INTERPRETED
collect_ignore = [] if INTERPRETED or ON_GPU else ["interpreted"]
