"""``python -m marapatch`` is the command ``marapatch``."""

import sys

from marapatch.cli import main

if __name__ == "__main__":
    sys.exit(main())
