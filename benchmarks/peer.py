"""torchvision beside this project: a virtual environment of its own, made once, and scripts that run in it."""

import json
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent / "peers"
HOME = HERE / ".venv"
PYTHON = HOME / "bin" / "python"


def measured_by_peer(script: str, *arguments: str) -> dict[str, Any]:
    """What a script in `peers/` prints, JSON; the first call installs torchvision, which takes minutes and 6 GB."""
    if not PYTHON.exists():
        print("installing torchvision for the comparison", file=sys.stderr)
        venv.create(HOME, with_pip=True)
        subprocess.run([PYTHON, "-m", "pip", "install", "--quiet", "-r", HERE / "requirements.txt"], check=True)
    done = subprocess.run([PYTHON, HERE / script, *arguments], check=True, stdout=subprocess.PIPE, text=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))
