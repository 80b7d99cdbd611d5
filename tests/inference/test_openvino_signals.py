"""A signal after networks have come and gone: OpenVINO's cores change the thread's stack for signals."""

import subprocess
import sys
from pathlib import Path

from helpers.constant_detector import write_constant_detector
from ssd.environment import ROOT

SCRIPT = """
import faulthandler, os, signal, sys
from pathlib import Path
from ssd.inference.openvino_network import OpenVinoNetwork, multiplies_bfloat16

faulthandler.enable()
file = Path(sys.argv[1])
multiplies_bfloat16()
networks = [OpenVinoNetwork.read(file, 1) for _ in range(3)]
while networks:
    networks.pop(0)  # the first goes first
signal.signal(signal.SIGINT, lambda *_: print("handled"))
os.kill(os.getpid(), signal.SIGINT)
"""


def test_it_is_handled(tmp_path: Path) -> None:
    file = write_constant_detector(tmp_path / "detector.xml")
    command = [sys.executable, "-c", SCRIPT, str(file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "handled\n"), done.stderr
