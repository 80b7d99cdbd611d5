"""A checkpoint is written whole or not at all, and what was there before stays."""

import errno
import io
import resource
import zipfile

import keras
import numpy as np
import pytest

from helpers.fake_detector import make_detector
from ssd.errors import UserError
from ssd.models.checkpoint import load_detector
from ssd.models.save import save_detector
from ssd.runs.keras_zip import opened

FULL = OSError(errno.ENOSPC, "No space left on device")


def refuse(error):
    def call(*_, **__):
        raise error

    return call


def opened_cut_short(part):
    """Half of it arrived on the disk, and nobody said so."""
    part.write_bytes(part.read_bytes()[:-2000])
    return opened(part)


# what fails in which call, as a library or the system does, and how it is said
FAULTS = {
    "full": ("os.replace", refuse(FULL), "No space left on device"),
    "full before it is on the disk": ("os.fsync", refuse(FULL), "No space left on device"),
    "read-only": ("pathlib.Path.open", refuse(OSError(errno.EROFS, "Read-only file system")), "Read-only file system"),
    "half of it written": ("ssd.models.save.opened", opened_cut_short, "what was written cannot be read again: "),
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
    call, fault, reason = FAULTS[kind]
    model = make_detector()
    said = rf"last\.keras cannot be written \({reason}.*resume={file.parent.parent}$"
    with monkeypatch.context() as patch:
        patch.setattr(call, fault)
        with pytest.raises(UserError, match=said):
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


def test_a_folder_that_cannot_be(tmp_path):
    (tmp_path / "run").write_text("a file")
    with pytest.raises(UserError, match=r"last\.keras cannot be written \((Not a directory|File exists)\)"):
        save_detector(make_detector(), tmp_path / "run" / "checkpoints" / "last.keras")


def test_a_fault_of_ours_is_not_called_one_of_the_disk(run, monkeypatch):
    file, before = run
    model = make_detector()
    monkeypatch.setattr("keras.saving.save_model", refuse(NotImplementedError("get_config")))
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
