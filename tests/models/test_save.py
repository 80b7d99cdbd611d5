"""A checkpoint is written whole or not at all, and what was there before stays."""

import errno
import io
import re
import resource
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest

from helpers.fake_detector import make_detector
from ssd.errors import UserError
from ssd.models.checkpoint import load_detector
from ssd.models.save import save_detector

FULL = OSError(errno.ENOSPC, "No space left on device")


def raises(error):
    def save(self, file):
        Path(file).write_bytes(b"half")
        raise error

    return save


def closing(self, file):
    """As zipfile does: the end of what is half written raises something else."""
    try:
        raise FULL
    except OSError:
        raise ValueError("Can't close the ZIP file while there is an open writing handle on it") from None


def silently(self, file):
    """Half of it arrives on the disk, and nobody says so."""
    keras.saving.save_model(self, file)
    Path(file).write_bytes(Path(file).read_bytes()[:-2000])


FAULTS = {
    "full": (raises(FULL), "No space left on device"),
    "read-only": (raises(OSError(errno.EROFS, "Read-only file system")), "Read-only file system"),
    "full, as h5py says": (
        raises(RuntimeError("Can't decrement id ref count (unable to close file, errno = 28, error message = 'No')")),
        "No space left on device",
    ),
    "full, and another error on top": (closing, "No space left on device"),
    "half of it written": (silently, "what was written cannot be read again: "),
}


@pytest.fixture
def run(tmp_path):
    """A run folder with a checkpoint, and the bytes of that."""
    file = tmp_path / "run" / "checkpoints" / "last.keras"
    save_detector(make_detector(), file)
    return file, file.read_bytes()


@pytest.fixture
def optimizer():
    return keras.optimizers.Adam()


def unchanged(file, before, model):
    assert file.read_bytes() == before
    assert list(file.parent.iterdir()) == [file]
    assert not model.compiled
    assert model.optimizer is None  # or the next one would carry it
    load_detector(file)


@pytest.mark.parametrize("kind", FAULTS)
def test_a_fault_of_the_disk_is_said_and_the_file_before_stays(run, optimizer, monkeypatch, kind):
    file, before = run
    fault, reason = FAULTS[kind]
    model = make_detector()
    monkeypatch.setattr(type(model), "save", fault)
    with pytest.raises(UserError, match=rf"last\.keras cannot be written \({reason}.*resume={file.parent.parent}$"):
        save_detector(model, file, optimizer, {"epoch": 1})
    unchanged(file, before, model)


@pytest.mark.parametrize("limit", [100, 5_000, 30_000])
def test_a_limit_of_the_system_itself(run, optimizer, limit):
    """No file may become larger, in truth: the system refuses the write wherever it comes."""
    file, before = run
    model = make_detector()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        with pytest.raises(UserError, match=r"last\.keras cannot be written \(File too large\)"):
            save_detector(model, file, optimizer, {"epoch": 1})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    unchanged(file, before, model)
    save_detector(model, file, optimizer, {"epoch": 1})  # there is space again
    assert file.read_bytes() != before


def test_the_notes_are_part_of_what_is_written(run, monkeypatch):
    file, before = run
    model = make_detector()

    def full(*_, **__):
        raise FULL

    monkeypatch.setattr(zipfile.ZipFile, "writestr", full)
    with pytest.raises(UserError, match=re.escape("(No space left on device)")):
        save_detector(model, file, None, {"epoch": 1})
    unchanged(file, before, model)


def test_a_folder_that_cannot_be(tmp_path):
    (tmp_path / "run").write_text("a file")
    with pytest.raises(UserError, match=r"last\.keras cannot be written \((Not a directory|File exists)\)"):
        save_detector(make_detector(), tmp_path / "run" / "checkpoints" / "last.keras")


def test_a_fault_of_ours_is_not_called_one_of_the_disk(run, monkeypatch):
    file, before = run
    model = make_detector()
    monkeypatch.setattr(type(model), "save", raises(NotImplementedError("get_config")))
    with pytest.raises(NotImplementedError):
        save_detector(model, file)
    unchanged(file, before, model)


def test_what_older_versions_wrote_is_read(tmp_path):
    """Keras' own saving, without a look at it and without notes."""
    model = make_detector()
    model.compile(optimizer=keras.optimizers.Adam())
    model.save(tmp_path / "old.keras")
    for before, after in zip(model.get_weights(), load_detector(tmp_path / "old.keras").get_weights(), strict=True):
        np.testing.assert_array_equal(after, before)
    stream = io.BytesIO()  # packed again by a tool that compresses
    with zipfile.ZipFile(tmp_path / "old.keras") as old, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    (tmp_path / "packed.keras").write_bytes(stream.getvalue())
    assert load_detector(tmp_path / "packed.keras").class_names == model.class_names
