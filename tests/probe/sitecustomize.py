"""Makes ssd.tasks.probe importable in every Python process of a test, however it was started."""

from pathlib import Path

import ssd.tasks

ssd.tasks.__path__.append(str(Path(__file__).parent))
