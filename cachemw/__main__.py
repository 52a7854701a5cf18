"""`python -m cachemw`."""

import sys

from cachemw.cli import main

sys.exit(main())
