"""Checkpoints made to harm: nothing is run, read, written or taken that is not theirs; each is refused in a sentence.

The names of the kinds start with the public report that a file follows.
"""

import base64
import copy
import io
import json
import marshal
import pickle
import re
import resource
import stat
import struct
import sys
import time
import tracemalloc
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from helpers.fake_checkpoint import detector_config, settings, write_archive
from helpers.fake_detector import make_detector
from ssd.errors import UserError
from ssd.models.checkpoint import load_detector
from ssd.models.save import save_detector
from ssd.runs.checkpoint import check_checkpoint
from ssd.runs.keras_classes import OURS

CANARY = "canary"
ADVICE = ("safe_mode", "override", "deserialization()")


class Leaves:
    """Leaves a trace where it is unpickled."""

    def __reduce__(self):
        return Path.touch, (Path(CANARY),)


def leave_trace(*_, **__):
    Path(CANARY).touch()


def layer(module, name, /, **config):
    """A layer as Keras writes it."""
    return {
        "module": module,
        "class_name": name,
        "config": {"name": "planted", **config},
        "registered_name": None,
        "name": "planted",
        "inbound_nodes": [],
    }


def function(module, name):
    return {"module": module, "class_name": "function", "config": name, "registered_name": name}


def planted_code(values):
    open("canary", "w").close()
    return values


CODE = base64.b64encode(marshal.dumps(planted_code.__code__)).decode()
DUMPED = {"code": CODE, "defaults": None, "closure": None}
MARSHALLED = {"class_name": "__lambda__", "config": {"value": DUMPED, **DUMPED}}
PICKLE = base64.b64encode(pickle.dumps(Leaves())).decode()
DEEP = b"[" * 100_000 + b"]" * 100_000
GET_FILE = {"fname": CANARY, "origin": "http://127.0.0.1:9/x", "cache_dir": ".", "cache_subdir": "."}
CONV = {"filters": 4, "kernel_size": 3}
LAMBDA = "keras.src.layers.core.lambda_layer"

NO_NEED = "no detector needs and which could run code"
# A layer that is planted in the backbone, and what is said of it.
LAYERS = {
    "CVE-2024-3660 marshalled code": (layer("keras.layers", "Lambda", function=MARSHALLED), NO_NEED),
    "CVE-2025-1550 a function of any module": (
        layer("keras.layers", "Lambda", function=function("os", "mkdir"), arguments={"path": CANARY}),
        NO_NEED,
    ),
    "CVE-2025-1550 a class of any module": (layer("pathlib", "Path"), "asks for pathlib.Path, which"),
    "CVE-2025-1550 a function as activation": (
        layer("keras.layers", "Conv2D", **CONV, activation=function("os", "mkdir")),
        "asks for the function os.mkdir, which no network needs",
    ),
    "CVE-2025-8747 get_file": (
        layer("keras.layers", "Activation", activation=function("keras.utils", "get_file"), **GET_FILE),
        "asks for the function keras.utils.get_file",
    ),
    "CVE-2025-12060 get_file of an archive": (
        layer("keras.layers", "Lambda", function=function("keras.utils", "get_file"), arguments={"extract": True}),
        "keras.layers.Lambda|keras.utils.get_file",
    ),
    "CVE-2025-9906 unsafe files allowed": (
        function("keras.config", "enable_unsafe_deserialization") | {"name": "planted", "inbound_nodes": []},
        "asks for the function keras.config.enable_uns",
    ),
    "CVE-2025-12058 a vocabulary from a file": (
        layer("keras.layers", "StringLookup", vocabulary=__file__),
        f"asks for keras.layers.StringLookup, which {NO_NEED}",
    ),
    "CVE-2025-12058 in TextVectorization": (layer("keras.layers", "TextVectorization", vocabulary=__file__), NO_NEED),
    "CVE-2025-49655 a wrapper of PyTorch": (
        layer("keras.layers", "TorchModuleWrapper", module={"class_name": "__bytes__", "config": {"value": PICKLE}}),
        "asks for keras.layers.TorchModuleWrapper|__bytes__",
    ),
    "CVE-2026-1462 a graph of TensorFlow": (layer("keras.layers", "TFSMLayer", filepath="/"), NO_NEED),
    "a layer of JAX": (layer("keras.layers", "JaxLayer", call_fn=MARSHALLED), "JaxLayer|__lambda__"),
    "a wrapper of a forbidden layer": (
        layer("keras.layers", "TimeDistributed", layer=layer("keras.layers", "Lambda", function=MARSHALLED)),
        NO_NEED,
    ),
    "a module of Keras by its inner name": (layer(LAMBDA, "Lambda", function=MARSHALLED), NO_NEED),
    "a name registered by nobody": (
        layer(LAMBDA, "Lambda", function=MARSHALLED) | {"registered_name": "x>Lambda"},
        NO_NEED,
    ),
    "a registered name on a built-in class": (
        layer("keras.layers", "ReLU") | {"registered_name": "Lambda"},
        NO_NEED,
    ),
    "the way of older Keras": (
        {"class_name": "Lambda", "config": {"function": MARSHALLED}, "name": "planted", "inbound_nodes": []},
        "asks for Lambda in the way of older Keras",
    ),
    "an object without a class": (
        {"module": "keras.layers", "config": {}, "name": "planted", "inbound_nodes": []},
        "has an object without a class",
    ),
    "a class whose name is none": (layer("keras.layers", ["Lambda"]), "whose class is no name"),
    "a marshalled activation": (layer("keras.layers", "Conv2D", **CONV, activation=MARSHALLED), "__lambda__"),
    "a type of TensorFlow": (
        {"class_name": "__typespec__", "config": [], "spec_name": "Path", "module": "pathlib", "registered_name": None},
        "__typespec__",
    ),
    "letters of a gigabyte": (
        layer("keras.layers", "Rescaling", scale={"class_name": "__numpy__", "config": {"value": "a", "dtype": "S9"}}),
        "__numpy__",
    ),
    "a number that is none": (layer("keras.layers", "ReLU", max_value=1e999), "it holds Infinity"),
    "a huge number": (layer("keras.layers", "Conv2D", filters=10**30, kernel_size=3), "has a filters beyond"),
    "2000 layers": ([layer("keras.layers", "ReLU")] * 2000, "has 20.. layers"),
}


@pytest.fixture(autouse=True)
def _untouched(tmp_path, monkeypatch):
    """Every test runs in a folder of its own, in which no trace may be left, with all ways to the net closed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("urllib.request.urlopen", leave_trace)
    monkeypatch.setattr("urllib.request.urlretrieve", leave_trace)
    monkeypatch.setattr("socket.create_connection", leave_trace)
    yield
    assert not Path(CANARY).exists()
    assert keras.src.saving.serialization_lib.in_safe_mode() in (None, True)


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """A checkpoint of ours."""
    file = tmp_path_factory.mktemp("good") / "good.keras"
    save_detector(make_detector(), file)
    return file


def parts_of(file):
    with zipfile.ZipFile(file) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def with_config(good, change, name="bad.keras"):
    """A checkpoint whose configuration was changed."""
    parts = parts_of(good)
    config = json.loads(parts["config.json"])
    change(config["config"])
    return write_archive(Path(name), parts | {"config.json": json.dumps(config).encode()})


def with_weights(good, change):
    """A checkpoint whose weights were changed."""
    parts = parts_of(good)
    stream = io.BytesIO(parts["model.weights.h5"])
    with h5py.File(stream, "r+") as weights:
        change(weights)
    return write_archive(Path("bad.keras"), parts | {"model.weights.h5": stream.getvalue()})


def refused(file, said, early=True):
    """Refuses a file in one sentence, fast and without much memory; early: already before TensorFlow is there."""
    ways = (check_checkpoint, load_detector) if early else (load_detector,)
    for way in ways:
        before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
        tracemalloc.start()
        with pytest.raises(UserError, match=rf"^{file} cannot be read as a checkpoint \((.|\n)*({said})") as caught:
            way(file)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 40_000_000
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000  # kilobytes
        assert time.monotonic() - start < 30
        sentence = str(caught.value)
        assert len(sentence) < 600
        assert "\n" not in sentence
        assert not any(word in sentence for word in ADVICE)


def test_the_planted_code_would_leave_a_trace(good):
    planted = copy.deepcopy(LAYERS["CVE-2024-3660 marshalled code"][0])
    obeyed = keras.saving.deserialize_keras_object(planted, safe_mode=False)
    obeyed(np.zeros(1))
    assert Path(CANARY).exists()
    Path(CANARY).unlink()
    pickle.loads(base64.b64decode(PICKLE))
    assert Path(CANARY).exists()
    Path(CANARY).unlink()


@pytest.mark.parametrize("kind", LAYERS)
def test_a_planted_layer(good, monkeypatch, kind):
    planted, said = LAYERS[kind]
    for name in ("StringLookup", "TextVectorization", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "Lambda"):
        monkeypatch.setattr(getattr(keras.layers, name), "__init__", leave_trace)
    planted = planted if isinstance(planted, list) else [planted]
    refused(with_config(good, lambda c: c["backbone"]["config"]["layers"].extend(planted)), said)


def test_what_a_network_was_trained_with_is_not_read(good):
    def plant(config):
        config["backbone"]["compile_config"] = {"optimizer": "adam", "loss": LAYERS["CVE-2025-8747 get_file"][0]}

    file = with_config(good, plant)
    parts = parts_of(file)
    config = json.loads(parts["config.json"])
    config["compile_config"] = {"optimizer": layer("os", "mkdir"), "loss": MARSHALLED}
    write_archive(file, parts | {"config.json": json.dumps(config).encode()})
    check_checkpoint(file)
    assert load_detector(file).class_names == ("disc", "box")


def test_a_class_of_ones_own_is_not_imported_for_a_file(good, monkeypatch):
    Path("stranger.py").write_text(f"open({CANARY!r}, 'w')")
    monkeypatch.syspath_prepend(".")
    planted = layer("stranger", "Layer") | {"registered_name": "stranger>Layer"}
    file = with_config(good, lambda c: c["backbone"]["config"]["layers"].append(planted))
    check_checkpoint(file)  # which cannot know what is imported later
    refused(file, "needs stranger.Layer, registered as stranger>Layer, which nothing has imported here", early=False)
    assert "stranger" not in sys.modules


def test_the_table_has_all_classes_that_are_registered_here():
    ours = {name for name in keras.saving.get_custom_objects() if name.startswith("ssd>")}
    assert ours - {"ssd>Warmup", "ssd>ByTime", "ssd>FusedAdam", "ssd>FusedSGD"} == OURS  # what trains is never read


def set_at(*path, value):
    def change(config):
        for key in path[:-1]:
            config = config[key]
        config[path[-1]] = value

    return change


FIRST = ("backbone", "config", "layers")
# What is changed in a detector's settings, and what is said of it.
SETTINGS = {
    "detections without end": (set_at("nms", "max_detections", value=10**9), "nms.max_detections=1000000000, out"),
    "none per class": (set_at("nms", "max_per_class", value=0), "nms.max_per_class=0, out of range"),
    "a flag as number": (set_at("nms", "max_per_class", value=True), "nms.max_per_class=True, out of range"),
    "a threshold of 2": (set_at("nms", "score_threshold", value=2.0), "nms.score_threshold=2.0, out of range"),
    "a threshold of NaN": (set_at("nms", "score_threshold", value=float("nan")), "it holds NaN"),
    "an IoU of text": (set_at("nms", "iou", value="half"), "nms.iou='half', out of range"),
    "an unknown setting": (set_at("custom_objects", value={}), "has a setting 'custom_objects', which none has"),
    "a detector without NMS": (lambda c: c.pop("nms"), "has no nms"),
    "settings of NMS that are none": (set_at("nms", value=3), "nms=3, out of range"),
    "no class": (set_at("class_names", value=[]), r"class_names=\[\], out of range"),
    "a class that is no text": (set_at("class_names", value=[3]), r"class_names=\[3\], out of range"),
    "scales that shrink": (set_at("priors", "scales", value=[0.4, 0.2]), "priors.scales=.*out of range"),
    "negative ratios": (set_at("priors", "aspect_ratios", value=[[-2.0]]), "priors.aspect_ratios=.*out of range"),
    "variances of 0": (set_at("variances", value=[0, 0, 0, 0]), "variances=.*out of range"),
    "a level of 10^9 filters": (
        set_at("extras", value=[{"squeeze": 10**9, "filters": 1, "kernel": 1, "stride": 1, "padding": 0}]),
        r"extras\[0\].squeeze=1000000000, out of range",
    ),
    "a level that is none": (set_at("extras", value=[None]), r"extras\[0\] is no level"),
}


@pytest.mark.parametrize("kind", SETTINGS)
def test_a_setting_that_no_detector_has(good, kind):
    change, said = SETTINGS[kind]
    refused(with_config(good, change), said)


def conv_of(config):
    return next(layer for layer in config["backbone"]["config"]["layers"] if layer["class_name"] == "Conv2D")


def grown(key, value):
    """A first convolution larger than its weights, in all places that say how large it is."""

    def change(config):
        conv_of(config)["config"][key] = value

    return change


def enlarged(size):
    """An image that is made `size` times as large before it comes to the convolution."""

    def change(config):
        rescaling = next(k for k in config["backbone"]["config"]["layers"] if k["class_name"] == "Rescaling")
        rescaling |= {"class_name": "UpSampling2D", "config": {"name": rescaling["name"], "size": size}}
        rescaling.pop("build_config", None)

    return change


def build_of(shape):
    return lambda config: conv_of(config)["build_config"].update(input_shape=shape)


def image_of(side):
    return lambda config: config["backbone"]["config"]["layers"][0]["config"].update(batch_shape=[None, side, side, 3])


# Networks that would take memory without end, and what is said of them.
NETWORKS = {
    "GHSA-hqp4-2352-xf5r filters that nothing is stored of": (
        grown("filters", 2**26),
        "weights, of which the file has",
    ),
    "a kernel of 10^5 x 10^5": (grown("kernel_size", [10**5, 10**5]), "weights, of which the file has"),
    "a layer that says what it was built for": (build_of([None, 32, 32, 2**30]), "its network cannot be built: Input"),
    "an image of 10^6 x 10^6": (image_of(10**6), "its network takes images of shape"),
    "an image of any size": (image_of(None), "its network cannot be built"),
    "an image made larger": (enlarged([64, 64]), r"makes \d+ values of an image"),
    "a stride of 0": (grown("strides", [0, 0]), "its network cannot be built"),
    "a stride of 1 on 4096 pixels": (
        lambda c: (image_of(4096)(c), grown("strides", [1, 1])(c), conv_of(c).pop("build_config")),
        r"has \d+ priors, more than",
    ),
    "an extra level without weights": (
        lambda c: (
            c["extras"].append({"squeeze": 2**16, "filters": 2**16, "kernel": 4096, "stride": 1, "padding": 2048}),
            c["priors"].update(scales=[0.2, 0.4, 0.6], aspect_ratios=[[2.0], [2.0]]),
        ),
        "its network has [0-9]+ weights, of which the file has",
    ),
}


@pytest.mark.parametrize("kind", NETWORKS)
def test_a_network_without_end(good, kind):
    change, said = NETWORKS[kind]
    refused(with_config(good, change), said, early=False)
    assert load_detector(good).class_names == ("disc", "box")  # nothing is left that would be made with the next one


def packed(parts, compression=zipfile.ZIP_DEFLATED):
    """An archive of any members."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, content in parts:
            archive.writestr(name, content)
    return stream.getvalue()


def changed_bytes(content, where, value, last=True):
    """An archive in whose directory bytes of a member are others."""
    start = content.rfind(b"PK\x01\x02") if last else content.find(b"PK\x01\x02")
    return content[: start + where] + value + content[start + where + len(value) :]


def symlink():
    info = zipfile.ZipInfo("model.weights.h5")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


CONFIG = ("config.json", detector_config(settings()))
WEIGHTS = ("model.weights.h5", b"weights" * 100)
ZEROS = ("model.weights.h5", bytes(80_000_000))
CONTAINERS = {
    "a bomb in the weights": (packed([CONFIG, ZEROS]), "would unpack to 800.* bytes, [0-9]+ times its own size"),
    "a bomb in the configuration": (
        packed([("config.json", bytes(50_000_000)), WEIGHTS]),
        "config.json would unpack to",
    ),
    "a bomb that hides its size": (
        changed_bytes(packed([CONFIG, ZEROS]), 24, struct.pack("<I", 700)),
        "model.weights.h5 is damaged",
    ),
    "more bytes than there are": (
        changed_bytes(packed([CONFIG, WEIGHTS], zipfile.ZIP_STORED), 20, struct.pack("<II", 10**9, 10**9)),
        "would unpack to|is damaged|cannot be read",
    ),
    "70,000 members": (packed([CONFIG, WEIGHTS] + [(f"{n}", b"") for n in range(70_000)]), "members, more than a"),
    "a member of another name": (packed([CONFIG, WEIGHTS, ("x.npz", b"")]), "holds 'x.npz', which no checkpoint has"),
    "a path out of the archive": (packed([CONFIG, WEIGHTS, (f"../{CANARY}", b"")]), "holds '../canary', which no"),
    "an asset": (packed([CONFIG, WEIGHTS, ("assets/a.txt", b"")]), "holds 'assets/a.txt', which no checkpoint has"),
    "a link": (packed([CONFIG, (symlink(), b"/etc/passwd")]), "holds 'model.weights.h5', which no checkpoint has"),
    "an encrypted member": (changed_bytes(packed([CONFIG, WEIGHTS]), 8, b"\x01\x00"), "model.weights.h5 is encrypted"),
    "another packer": (packed([CONFIG, WEIGHTS], zipfile.ZIP_LZMA), "packed in a way that no checkpoint is"),
    "deep JSON": (packed([("config.json", DEEP), WEIGHTS], zipfile.ZIP_STORED), "config.json is nested too deeply"),
    "JSON of 70 levels": (
        packed([("config.json", detector_config(settings() | {"name": json.loads("[" * 70 + "]" * 70)})), WEIGHTS]),
        "nested too deeply",
    ),
    "JSON that is none": (packed([("config.json", b"{"), WEIGHTS]), "config.json is not JSON"),
    "JSON in no UTF-8": (packed([("config.json", b"\xff\xfe\xfa"), WEIGHTS]), "config.json is not JSON"),
    "a number of 100,000 digits": (packed([("config.json", b"1" * 100_000), WEIGHTS]), "."),
    "a number beyond all": (
        packed([("config.json", CONFIG[1].replace(b"0.45", b"1e999")), WEIGHTS]),
        "has a iou of inf",
    ),
    "a list as configuration": (packed([("config.json", b"[]"), WEIGHTS]), "holds no detector"),
    "notes that are no counts": (
        packed([CONFIG, WEIGHTS, ("training.json", b'{"epoch": -1}')]),
        "training.json holds no counts",
    ),
    "CVE-2025-9905 a file of older Keras": (
        b"\x89HDF\r\n\x1a\n" + bytes(3000),
        "it is an HDF5 file, the format of older",
    ),
}


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_twice(tmp_path):
    Path("bad.keras").write_bytes(packed([CONFIG, WEIGHTS, CONFIG]))
    refused(Path("bad.keras"), "it holds config.json twice")


@pytest.mark.parametrize("kind", CONTAINERS)
def test_a_container_that_no_checkpoint_is(kind):
    content, said = CONTAINERS[kind]
    Path("bad.keras").write_bytes(content)
    refused(Path("bad.keras"), said, early=kind != "notes that are no counts")


def test_a_model_of_older_keras_is_not_loaded_whatever_its_name():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Lambda(leave_trace, output_shape=(2,))])
    Path(CANARY).unlink(missing_ok=True)  # it was called once, to be built
    for name in ("model.h5", "model.hdf5"):
        model.save(name)
        Path(name).rename(f"{name}.keras")
        refused(Path(f"{name}.keras"), "it is an HDF5 file, the format of older Keras, which could hold code")
        refused(Path(f"{name}.keras").rename(name), "it is an HDF5 file, the format of older Keras")


def first_kernel(weights):
    """The group and name of a kernel."""
    return weights["layers/conv2d/vars"], "0"


def replaced(make):
    def change(weights):
        group, name = first_kernel(weights)
        shape = group[name].shape
        del group[name]
        make(group, name, shape)

    return change


def virtual(group, name, shape):
    layout = h5py.VirtualLayout(shape, "f4")
    layout[:] = h5py.VirtualSource("secret.h5", "data", shape)
    group.create_virtual_dataset(name, layout)


def chunked(group, name, shape):
    group.create_dataset(name, (2**20, 2**20), "f4", compression="gzip", chunks=(2**10, 2**10))


def late(group, name, shape):
    group.create_dataset(name, (2**20, 2**20), "f4")  # of which nothing is stored


def external(group, name, shape):
    group.create_dataset(name, shape, "f4", external=[("secret.bin", 0, h5py.h5f.UNLIMITED)])


def shared(group, name, shape):
    big = group.create_dataset(name, (2**18,), "f4", data=np.ones(2**18, "f4"))
    for number in range(100):
        group[f"again_{number}"] = big


WEIGHT_FILES = {
    "CVE-2026-1669 numbers of another file": (replaced(external), "lie in another file"),
    "CVE-2026-1669 a link to another file": (
        replaced(lambda g, name, _: g.__setitem__(name, h5py.ExternalLink("secret.h5", "data"))),
        "have a link at layers/conv2d/vars/0, which could lead to another file",
    ),
    "CVE-2026-1669 a group of another file": (
        lambda w: (w.__delitem__("layers"), w.__setitem__("layers", h5py.ExternalLink("secret.h5", "/"))),
        "have a link at layers, which could lead to another file",
    ),
    "a soft link": (replaced(lambda g, name, _: g.__setitem__(name, h5py.SoftLink("/layers"))), "have a link at"),
    "CVE-2026-1669 an array put together of others": (replaced(virtual), "lie in another file"),
    "GHSA-hqp4-2352-xf5r packed nothing of 4 TB": (replaced(chunked), "are packed, which Keras never does"),
    "GHSA-hqp4-2352-xf5r 4 TB of which nothing is stored": (replaced(late), "said to be more than the file has"),
    "one array a hundred times": (replaced(shared), "said to be more than the file has"),
    "text": (replaced(lambda g, name, _: g.create_dataset(name, data="text")), "are object, no numbers"),
    "pairs": (
        replaced(lambda g, name, s: g.create_dataset(name, data=np.zeros(s, [("a", "f4"), ("b", "f4")]))),
        "no numbers",
    ),
    "a type in the place of an array": (
        replaced(lambda g, name, _: g.__setitem__(name, np.dtype("f4"))),
        "something else than numbers",
    ),
    "a group in itself": (lambda w: w["layers"].__setitem__("again", w["layers"]), "said to be more than the file has"),
    "another shape": (
        replaced(lambda g, name, _: g.create_dataset(name, data=np.zeros((500, 5), "f4"))),
        "do not fit its",
    ),
    "a missing array": (replaced(lambda *_: None), "weights, of which the file has"),
    "a missing layer": (lambda w: w.move("layers/conv2d", "layers/other"), "its weights do not fit its network"),
}


@pytest.mark.parametrize("kind", WEIGHT_FILES)
def test_weights_that_are_not_in_the_file(good, kind):
    with h5py.File("secret.h5", "w") as secret:
        secret["data"] = np.full((3, 3, 3, 4), 7.0, "f4")
    Path("secret.bin").write_bytes(np.full(108, 7.0, "f4").tobytes())
    change, said = WEIGHT_FILES[kind]
    refused(with_weights(good, change), said, early=False)


def test_weights_that_are_no_hdf5(good):
    file = write_archive(Path("bad.keras"), parts_of(good) | {"model.weights.h5": b"weights" * 100})
    refused(file, ".", early=False)


def test_weights_that_are_no_numbers_are_said(good, caplog):
    file = with_weights(good, replaced(lambda g, name, s: g.create_dataset(name, data=np.full(s, np.nan, "f4"))))
    load_detector(file)
    said = r"bad\.keras has weights that are no finite numbers, in 1 variables: the first is conv2d\w*/kernel"
    assert re.search(said, caplog.text)
