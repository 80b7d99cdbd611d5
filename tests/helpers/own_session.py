"""Imported before a command of `warm`: it has a session and process group of its own, as one in a terminal has."""

import os

os.setsid()
