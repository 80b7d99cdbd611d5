"""What compiled code writes to file descriptor 2 goes to the file; Python's errors and a crash stay on the terminal."""

import subprocess
import sys
from pathlib import Path

from ssd.environment import ROOT

SCRIPT = """
import os, sys
from pathlib import Path
from ssd.native_output import native_output_to

with native_output_to(Path("run.log")):
    os.write(2, b"a line of C++\\n")
    print("a line of Python", file=sys.stderr)
    {inside}
os.write(2, b"after\\n")
"""


def run(folder: Path, inside: str) -> subprocess.CompletedProcess[str]:
    (folder / "run.log").write_text("before\n")
    command = [sys.executable, "-c", SCRIPT.format(inside=inside)]
    environment = {"PYTHONPATH": str(ROOT), "PATH": ""}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_compiled_code_writes_to_the_file_and_python_to_the_terminal(tmp_path: Path) -> None:
    done = run(tmp_path, "pass")
    assert done.stderr == "a line of Python\nafter\n"
    assert (tmp_path / "run.log").read_text() == "before\na line of C++\n"


def test_a_crash_is_seen(tmp_path: Path) -> None:
    done = run(tmp_path, "os.abort()")
    assert done.returncode < 0
    assert "Fatal Python error: Aborted" in done.stderr
    assert "a line of C++" in (tmp_path / "run.log").read_text()


def test_an_exception_is_seen(tmp_path: Path) -> None:
    done = run(tmp_path, "raise ValueError('too bad')")
    assert done.stderr.rstrip().endswith("ValueError: too bad")
