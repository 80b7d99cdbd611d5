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
    _install()
    done = subprocess.run([PYTHON, HERE / script, *arguments], check=True, stdout=subprocess.PIPE, text=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def _install() -> None:
    if not PYTHON.exists():
        print("installing torchvision for the comparison", file=sys.stderr)
        venv.create(HOME, with_pip=True)
        subprocess.run([PYTHON, "-m", "pip", "install", "--quiet", "-r", HERE / "requirements.txt"], check=True)


class PeerInTurns:
    """A script in `peers/` that answers a line of input with a line, and waits in between.

    Args:
        script: in `peers/`; started at once.
        arguments: of its command line.
    """

    def __init__(self, script: str, *arguments: str) -> None:
        _install()
        self._process = subprocess.Popen(
            [PYTHON, HERE / script, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, line: str) -> str:
        """Its answer to a line."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        if not (answer := self._process.stdout.readline()):
            raise RuntimeError("the peer has ended")
        return answer.strip()

    def close(self) -> None:
        """Ends it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()
