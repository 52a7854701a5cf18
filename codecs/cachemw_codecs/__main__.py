"""`python -m cachemw_codecs`; `--help` says what it can do."""

import sys

from cachemw_codecs.command.main import main

if __name__ == "__main__":
    sys.exit(main())
