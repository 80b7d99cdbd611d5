"""Trains, evaluates and uses SSD detectors: `python run.py --help`."""

import sys

from ssd.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
