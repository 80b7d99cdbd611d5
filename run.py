"""Trains, evaluates and uses SSD detectors: `python run.py --help`."""

import sys

from ssd.cli import main

if __name__ == "__main__":
    sys.exit(main())
