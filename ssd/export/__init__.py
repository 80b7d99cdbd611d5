"""Detectors as files of other runtimes, and the check of each against the detector that it was made of."""
