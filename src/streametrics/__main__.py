"""`python -m streametrics`: see `cli`."""

import sys

from streametrics.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
