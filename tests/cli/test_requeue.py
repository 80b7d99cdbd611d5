"""Slurm's signal before the time limit: the command stops, and its job is requeued."""

import os
import signal
from pathlib import Path

import pytest

from ssd.cli.main import main

SCONTROL = '#!/bin/sh\necho "$@" > {file}\n'


@pytest.mark.usefixtures("command_line")
@pytest.mark.parametrize(
    ("variables", "asked"),
    [
        ({"SLURM_JOB_ID": "7"}, "requeue 7"),
        ({"SLURM_JOB_ID": "9", "SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "2"}, "requeue 7_2"),
        ({"SLURM_JOB_ID": "7", "SLURM_PROCID": "1"}, None),
        ({}, None),
    ],
)
def test_a_job_is_requeued_once(
    variables: dict[str, str],
    asked: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    _slurm(tmp_path, monkeypatch, SCONTROL.format(file=tmp_path / "asked"), variables)
    assert main(["name=stopped"]) == 128 + signal.SIGUSR1
    assert "stopped by SIGUSR1" in capsys.readouterr().err
    file = tmp_path / "asked"
    assert (file.read_text().strip() if file.exists() else None) == asked


@pytest.mark.usefixtures("command_line")
def test_a_refusal_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    _slurm(tmp_path, monkeypatch, "#!/bin/sh\necho Job has expired >&2; exit 1\n", {"SLURM_JOB_ID": "7"})
    assert main(["name=stopped"]) == 128 + signal.SIGUSR1
    assert "job 7 could not be requeued (Job has expired); submit it again" in capsys.readouterr().err


def _slurm(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str, variables: dict[str, str]) -> None:
    """A `scontrol` that is found first, and a task that gets Slurm's signal."""
    (folder / "scontrol").write_text(script)
    (folder / "scontrol").chmod(0o755)
    monkeypatch.setenv("PATH", os.pathsep.join([str(folder), os.environ["PATH"]]))
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    def run(argv: list[str]) -> int:
        os.kill(os.getpid(), signal.SIGUSR1)
        return 0

    monkeypatch.setattr("ssd.cli.main._run", run)
