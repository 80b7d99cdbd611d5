"""task=inspect on the command line: its files, its exit status, and what it does not touch."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.broken_voc import NAMED, Breaker, plant, write_sound
from helpers.damage import files_in
from ssd.cli.main import main
from ssd.environment import ROOT

pytestmark = pytest.mark.usefixtures("own_process_state")

INSPECT = ["task=inspect", "dataset=voc_folder", "tracking.enabled=false"]


def _folder() -> Path:
    return next(Path("outputs", "inspect").iterdir())


def test_a_broken_folder_ends_with_status_1_a_page_and_all_findings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_sound(tmp_path / "cells")
    planted = plant(Breaker(root))
    before = files_in(root)
    with pytest.raises(SystemExit) as stopped:
        main([*INSPECT, f"dataset.path={root}", f"dataset.class_names=[{','.join(NAMED)}]"])
    assert stopped.value.code == 1
    assert files_in(root) == before
    out, err = capsys.readouterr()
    assert "error: cells has 16 errors; see outputs/inspect/" in err
    assert "Annotations that cannot be read (annotation-unreadable)" in out
    found = json.loads((_folder() / "findings.json").read_text())
    assert found["errors"] == 16
    assert len(found["findings"]) == planted.total()
    assert all(item["reason"] and item["advice"] and item["severity"] for item in found["findings"])
    page = (_folder() / "report.html").read_text()
    assert page.count("<h3>") >= len(planted)
    assert page.count("data:image/") >= 20
    assert str(tmp_path) not in page.split("Files are named from")[1].split("</p>", 1)[1]
    assert len(page) < 3_000_000


def test_a_sound_folder_ends_with_status_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write_sound(tmp_path / "cells")
    assert main([*INSPECT, f"dataset.path={root}"]) == 0
    assert "cells: 0 errors, 0 warnings, 0 notes in 100 images" in capsys.readouterr().out
    assert "Nothing was found." in (_folder() / "report.md").read_text()


def test_a_folder_that_cannot_be_read_at_all_is_a_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "cells").mkdir()
    assert main([*INSPECT, f"dataset.path={tmp_path / 'cells'}"]) == 2
    assert "has no folder Annotations" in capsys.readouterr().err


def test_tensorflow_is_not_needed() -> None:
    code = "import sys, ssd.tasks.inspect; print('tensorflow' in sys.modules or 'mlflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "False"
