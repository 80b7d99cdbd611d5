"""Weights files of other projects: their format, what they hold, and what is said of those that do not fit."""

import io
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from parity.seeded_weights import REFERENCES, SEED, seeded_state, stored_shapes
from ssd.errors import UserError
from ssd.weights.class_names import COCO, COCO_WITH_GAPS, VOC, names_for
from ssd.weights.layouts import LAYOUTS
from ssd.weights.pth import read_pth
from ssd.weights.reader import read_layout, read_weights


@pytest.mark.parametrize("name", ["zip.pth", "stream.pth"])
def test_both_formats_of_torch_save(name):
    content = read_pth(REFERENCES / name)
    np.testing.assert_array_equal(content["parameter"], [[0, 1, 2], [3, 4, 5]])
    np.testing.assert_array_equal(content["transposed"], [[0, 3], [1, 4], [2, 5]])
    np.testing.assert_array_equal(content["part"], [4, 6])
    assert (content["scalar"].shape, int(content["scalar"])) == ((), 3)
    assert content["half"].dtype == np.float16
    np.testing.assert_array_equal(content["bfloat16"].astype(np.float32), [1.5, 1.5])


class _Harmful:
    def __reduce__(self):
        return (print, ("run by the file",))


def zip_with(pickled: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("archive/data.pkl", pickled)
    return stream.getvalue()


def test_a_file_cannot_run_anything(tmp_path, capsys):
    (tmp_path / "bad.pth").write_bytes(zip_with(pickle.dumps({"a": _Harmful()}, protocol=2)))
    with pytest.raises(UserError, match=r"bad.pth holds more than weights .*print"):
        read_pth(tmp_path / "bad.pth")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "content", [b"", b"<html>not found</html>", zip_with(b"\x80\x02broken"), pickle.dumps("no magic number")]
)
def test_what_is_no_weights_file(tmp_path, content):
    (tmp_path / "bad.pth").write_bytes(content)
    with pytest.raises(UserError, match=r"bad.pth is not a file of torch.save, or is damaged"):
        read_pth(tmp_path / "bad.pth")


def test_a_cut_off_download(tmp_path):
    for name in ("zip.pth", "stream.pth"):
        (tmp_path / name).write_bytes((REFERENCES / name).read_bytes()[:-200])
        with pytest.raises(UserError, match="damaged"):
            read_pth(tmp_path / name)


def test_a_tensor_cannot_reach_past_its_numbers(tmp_path):
    """A stride changed in the file must not read foreign memory."""
    with zipfile.ZipFile(REFERENCES / "zip.pth") as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    index = next(name for name in parts if name.endswith("data.pkl"))
    assert b"K\x02K\x03\x86" in parts[index]  # the shape (2, 3) of "parameter"
    parts[index] = parts[index].replace(b"K\x02K\x03\x86", b"K\x7fK\x03\x86", 1)
    with zipfile.ZipFile(tmp_path / "bad.pth", "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    with pytest.raises(UserError, match="a tensor reaches past its storage"):
        read_pth(tmp_path / "bad.pth")


@pytest.fixture(scope="module")
def ssdlite(tmp_path_factory) -> dict[str, np.ndarray]:
    return seeded_state(stored_shapes("torchvision_ssdlite320"), SEED)


def saved(folder: Path, state: dict[str, np.ndarray]) -> str:
    save_file(state, folder / "w.safetensors")
    return f"torchvision:{folder}/w.safetensors"


def test_the_kind_of_detector_is_found(tmp_path, ssdlite):
    weights = saved(tmp_path, ssdlite)
    assert read_layout(weights).title == "torchvision's ssdlite320_mobilenet_v3_large"
    trained = read_weights(weights)
    assert trained.class_names == COCO_WITH_GAPS
    np.testing.assert_array_equal(
        trained.layers["conv"][0], ssdlite["backbone.features.0.0.0.weight"].transpose(2, 3, 1, 0)
    )


def test_names_of_parallel_training_and_batch_counters_do_not_matter(tmp_path, ssdlite):
    counters = {"backbone.features.0.0.1.num_batches_tracked": np.array(5)}
    weights = saved(tmp_path, {f"module.{key}": value for key, value in (ssdlite | counters).items()})
    with pytest.raises(UserError):  # safetensors are taken as they are
        read_layout(weights)
    assert read_weights(saved(tmp_path, ssdlite | counters)).class_names == COCO_WITH_GAPS


def test_a_file_with_a_weight_too_few_or_too_many(tmp_path, ssdlite):
    fewer = {key: value for key, value in ssdlite.items() if not key.startswith("backbone.extra.2.2.0")}
    with pytest.raises(UserError, match=r"w.safetensors lacks backbone.extra.2.2.0.weight of torchvision's ssdlite320"):
        read_weights(saved(tmp_path, fewer))
    more = ssdlite | {"mask_head.weight": np.zeros(1, np.float32)}
    with pytest.raises(UserError, match=r"no place for mask_head.weight"):
        read_weights(saved(tmp_path, more))


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ("torchvison:a.pth", "does not say whose weights they are; .*; did you mean 'torchvision'"),
        ("a.pth", "does not say whose weights they are"),
        ("torchvision:nothing.pth", "there is no such file"),
        (f"torchvision:{REFERENCES}/zip.pth", "has not the weights of torchvision's ssd300_vgg16 nor of"),
        (f"amdegroot:{REFERENCES}/torchvision_ssd300_vgg16.npz", "is not a file of torch.save|is not a dict"),
    ],
)
def test_what_is_said_of_wrong_weights(weights, message):
    with pytest.raises(UserError, match=message):
        read_layout(weights)


def test_damaged_safetensors(tmp_path):
    (tmp_path / "w.safetensors").write_bytes(b"nothing")
    with pytest.raises(UserError, match="is not a safetensors file, or is damaged"):
        read_layout(f"torchvision:{tmp_path}/w.safetensors")


def test_class_names():
    assert (len(VOC), len(COCO), len(COCO_WITH_GAPS)) == (20, 80, 90)
    assert len(set(COCO_WITH_GAPS)) == 90
    assert [name for name in COCO_WITH_GAPS if not name.startswith("N/A")] == list(COCO)
    assert names_for(2) == ("class_1", "class_2")


def test_layouts_name_every_layer_once():
    for layouts in LAYOUTS.values():
        for layout in layouts:
            ours, theirs = zip(*layout.pairs, strict=True)
            assert len(set(ours)) == len(ours)
            assert len(set(theirs)) == len(theirs)
