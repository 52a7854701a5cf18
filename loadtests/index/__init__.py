"""Where the exact scan should give way to the graph."""

import os

# As the server sets it (cachemw/cli.py), and like there before numpy is loaded.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
