"""``python -m pyalias``."""

import sys

from pyalias.cli import main

if __name__ == "__main__":
    sys.exit(main())
