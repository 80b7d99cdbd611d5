"""A disk that is full, or can only be read: one sentence, and what is there stays whole."""

import errno
import logging
import os
import re
import resource
from collections.abc import Callable
from pathlib import Path

import pytest

from helpers.fake_checkpoint import write_detector
from ssd.cli.fault import describe_fault
from ssd.console import LogFile
from ssd.errors import UserError
from ssd.runs.files import write_text
from ssd.runs.folder import LAST, LOG, reserve
from ssd.runs.lock import locked

ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EIO)


@pytest.mark.parametrize("code", ERRORS, ids=errno.errorcode.get)
@pytest.mark.parametrize("at", ["os.replace", "os.fsync", "pathlib.Path.write_text"])
def test_a_file_that_cannot_be_written_stays_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str, code: int
) -> None:
    write_text(tmp_path / "a.txt", "before")

    def refuse(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        patch.setattr(at, refuse)
        with pytest.raises(OSError, match=r"a\.txt") as told:
            write_text(tmp_path / "a.txt", "after")
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "before"
    write_detector(tmp_path / LAST)
    sentence = describe_fault(told.value, tmp_path / LOG)
    assert sentence.startswith(f"{tmp_path / 'a.txt'}: {os.strerror(code)}; ")
    assert sentence.endswith(f", then go on with resume={os.path.relpath(tmp_path)}")


def test_a_limit_of_the_system_is_one_sentence_too(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(OSError, match="too large") as told:
            write_text(tmp_path / "a.txt", "x" * 10_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "a.txt: File too large; raise the limit of a file's size" in describe_fault(told.value)
    assert list(tmp_path.iterdir()) == []


def test_what_a_library_made_of_a_full_disk_is_seen_through() -> None:
    error = ValueError("Unable to configure handler 'file'")
    error.__cause__ = OSError(errno.ENOSPC, "No space left on device", "run.log")
    assert describe_fault(error) == "run.log: No space left on device; free space"


def test_a_log_that_cannot_be_written_is_said_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    handler = LogFile("/dev/full")
    for _ in range(3):
        handler.handle(logging.LogRecord("ssd", logging.INFO, "", 0, "a line", None, None))
    handler.close()
    told = capsys.readouterr()
    assert told.out.count("cannot be written (No space left on device); its lines are only here") == 1
    assert told.err == ""


@pytest.mark.parametrize("make", [lambda path: path.write_text("x"), lambda path: path.symlink_to("/nowhere/x")])
def test_outputs_that_is_no_folder_is_named(tmp_path: Path, make: Callable[[Path], object]) -> None:
    make(tmp_path / "outputs")
    with pytest.raises(OSError, match="outputs") as told:
        reserve(tmp_path / "outputs" / "train" / "now")
    assert re.match(r"\S+/outputs\S*: (Not a directory|File exists); \w+", describe_fault(told.value))


def test_a_lock_that_is_damaged_is_no_traceback(tmp_path: Path) -> None:
    told = pytest.raises(UserError, match="in use by another process; stop that first")
    with locked(tmp_path):
        (tmp_path / ".lock.holder").write_bytes(b"\xff\xfe")
        with told, locked(tmp_path):
            pass
    (tmp_path / ".lock").unlink()
    (tmp_path / ".lock").mkdir()
    with pytest.raises(OSError, match=r"\.lock") as refused, locked(tmp_path):
        pass
    assert describe_fault(refused.value) == f"{tmp_path}/.lock: Is a directory; move that folder away"
