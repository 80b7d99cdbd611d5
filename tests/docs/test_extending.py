"""docs/extending.md, followed: every file is written as it stands there, every command is run."""

from pathlib import Path

import pytest

from helpers.markdown import Block, blocks
from helpers.warm import Process

STEPS = [block for block in blocks() if block.page == "docs/extending.md"]


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder with the files of the page."""
    folder = tmp_path_factory.mktemp("work")
    for block in STEPS:
        if block.file:
            (folder / block.file).parent.mkdir(parents=True, exist_ok=True)
            (folder / block.file).write_text(block.text)
    return folder


def test_every_block_is_a_file_or_commands() -> None:
    assert all(block.file or block.language == "sh" for block in STEPS)
    assert {"backbone", "dataset", "augmentation", "optimizer"} <= {Path(b.file).parent.name for b in STEPS if b.file}


@pytest.mark.parametrize("block", [pytest.param(b, id=str(n)) for n, b in enumerate(STEPS) if b.language == "sh"])
def test_step(block: Block, work: Path) -> None:
    assert not block.untested
    for command in block.commands:
        variables = {}
        while "=" in command[0]:  # VARIABLE=value in front of it
            name, _, value = command.pop(0).partition("=")
            variables[name] = value.replace("$PWD", str(work))
        assert command[:2] == ["python", "run.py"]
        run = Process(work, *command[2:], **variables)
        assert run.wait() == 0, run.said
