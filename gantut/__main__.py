"""``python -m gantut`` is the command ``gantut``."""

import sys

from gantut.cli import main

if __name__ == "__main__":
    sys.exit(main())
