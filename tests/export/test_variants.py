"""Each format and precision of a small detector finds what the detector finds, and says what it is."""

import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from flatbuffers.table import Table

from helpers.fake_detector import make_detector
from ssd import Detector
from ssd.errors import UserError
from ssd.export.calibration import calibrate
from ssd.export.differences import differences
from ssd.export.litert_metadata import parsed
from ssd.export.matrix import PRECISIONS, Variant
from ssd.export.write import check_installed, layer_outputs, write_export
from ssd.inference.exported import load_exported
from ssd.inference.keras_network import KerasNetwork
from ssd.models.detector import SSD

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3), dtype=np.uint8)
VARIANTS = [Variant(kind, precision) for kind, precisions in PRECISIONS.items() for precision in precisions]
FLOAT32 = [variant for variant in VARIANTS if variant.precision == "float32"]
SCORES_WITHIN = {"bfloat16": 0.01, "float16": 0.001, "int8": 0.03, "full_int8": 0.03}
NAMES = ("Größe 1", 'a "b", c')

Write = Callable[[Variant], Path]


@pytest.fixture(scope="module")
def model() -> SSD:
    detector = make_detector()
    detector.class_names = NAMES
    return detector


@pytest.fixture(scope="module")
def write(model: SSD, tmp_path_factory: pytest.TempPathFactory) -> Write:
    """The file of a variant, written once."""
    calibration = calibrate(model, [image[None] for image in IMAGES])
    written: dict[Variant, Path] = {}

    def once(variant: Variant) -> Path:
        if variant not in written:
            place = tmp_path_factory.mktemp(variant.name)
            written[variant] = write_export(model, variant, "a/run", place, calibration)
        return written[variant]

    return once


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_what_is_found_and_what_is_said(variant: Variant, model: SSD, write: Write) -> None:
    network = load_exported(write(variant), batch_size=3)
    said = network.metadata
    assert (said.format, said.precision, said.class_names, said.image_size) == (*variant, NAMES, 32)
    assert (said.score_threshold, said.nms_iou, said.max_per_class, said.max_detections) == (0.01, 0.45, 50, 5)
    assert said.source == "a/run"
    original = KerasNetwork(model, policy="float32")(IMAGES, 0.01)
    assert [len(found) for found in original] == [5] * len(IMAGES)  # NMS has something to choose from
    for batch in (IMAGES, IMAGES[:1], IMAGES[2:5]):
        found = network(batch, 0.01)
        assert [len(one) for one in found] == [5] * len(batch)
    exported = network(IMAGES, 0.01)
    if variant.precision == "float32":
        difference = differences(original, exported, model.nms, least=0.0)
        assert (difference.missing, difference.extra) == (0, 0)
        assert max(difference.box, difference.score) < 1e-5
    else:
        best = np.array([[one.scores[0] for one in every] for every in (original, exported)])
        np.testing.assert_allclose(best[1], best[0], atol=SCORES_WITHIN[variant.precision])


@pytest.mark.parametrize("variant", FLOAT32, ids=lambda variant: variant.format)
def test_an_image_without_anything(variant: Variant, tmp_path: Path) -> None:
    model = make_detector()
    for head in ("class_head_0", "box_head_0"):
        layer = model.get_layer(head)
        layer.set_weights([np.zeros_like(weight) for weight in layer.get_weights()])
    bias = np.tile([9.0, 0.0, 0.0], 4)  # background everywhere
    model.get_layer("class_head_0").bias.assign(bias)
    network = load_exported(write_export(model, variant, "run", tmp_path), batch_size=2)
    found = network(IMAGES[:2], 0.01)
    assert [len(one) for one in found] == [0, 0]
    assert found[0].boxes.shape == (0, 4)


def test_detectors_of_programs_load_them(write: Write) -> None:
    picture = np.random.default_rng(1).integers(0, 256, (50, 70, 3), dtype=np.uint8)
    found = [Detector.load(write(variant), score_threshold=0.3)(picture) for variant in FLOAT32]
    for other in found:
        assert other.class_names == NAMES
        assert other.image_size == (50, 70)
        np.testing.assert_allclose(other.xyxy, found[0].xyxy, atol=1e-3)
    assert len(Detector.load(write(FLOAT32[1]), score_threshold=0.01)(picture)) == 5  # the file's own
    with pytest.raises(UserError, match=r"a score_threshold of 0\.005 is below 0\.01, under which an exported file"):
        Detector.load(write(FLOAT32[1]), score_threshold=0.005)(picture)


def test_what_most_files_do_not_need_is_not_imported(write: Write) -> None:
    """So ssd/serving/requirements.txt and docs/deploy.md can do without."""
    unneeded = ("tensorflow", "keras", "mlflow", "omegaconf", "pandas", "platformdirs", "openvino_telemetry")
    files = [str(write(variant)) for variant in FLOAT32 if variant.format != "saved_model"]
    program = (
        "import sys, numpy as np\nfrom ssd import Detector\n"
        f"for file in {files!r}:\n    Detector.load(file)(np.zeros((40, 40, 3), np.uint8))\n"
        f"print([name for name in {unneeded!r} if sys.modules.get(name)])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_layers_tell_their_outputs(variant: Variant, model: SSD, write: Write) -> None:
    told = layer_outputs(model, variant, write(variant), IMAGES[:1])
    assert {"box_head_0", "class_head_0"} <= set(told)  # the only ones, whose outputs others only give another shape
    assert told["class_head_0"].size == 64 * 3


def test_calibration_decides_and_nothing_else(model: SSD, write: Write, tmp_path: Path) -> None:
    def scores(file: Path) -> list[list[float]]:
        return [found.scores.tolist() for found in load_exported(file, 1)(IMAGES, 0.01)]

    same = calibrate(model, [image[None] for image in IMAGES])
    for kind in ("litert", "onnx", "openvino"):
        variant = Variant(kind, "int8")
        again = write_export(model, variant, "a/run", tmp_path / "again", same)
        assert scores(again) == scores(write(variant))
    dark = calibrate(model, [image[None] // 4 for image in IMAGES])
    other = write_export(model, Variant("onnx", "int8"), "a/run", tmp_path / "other", dark)
    assert scores(other) != scores(write(Variant("onnx", "int8")))


def test_a_litert_file_says_to_mediapipe_what_it_gives(write: Write) -> None:
    file = write(Variant("litert", "float32"))
    with zipfile.ZipFile(file) as packed:
        assert packed.read("labels.txt").decode().split("\n") == list(NAMES)
    model = parsed(file.read_bytes())
    shapes = [model.subgraphs[0].tensors[index].shape.tolist() for index in model.subgraphs[0].outputs]
    assert shapes == [[1, 5, 4], [1, 5], [1, 5], [1]]
    (entry,) = [entry for entry in model.metadata if entry.name == b"TFLITE_METADATA"]
    content = model.buffers[entry.buffer].data.tobytes()
    assert content[4:8] == b"M001"
    graph = first_of(Table(content, int.from_bytes(content[:4], "little")), 3)
    names = [field(output, 0) for output in tables(graph, 3)]
    assert [output.String(name).decode() for output, name in zip(tables(graph, 3), names, strict=True)] == [
        "location",
        "category",
        "score",
        "number of detections",
    ]


def field(table: Table, number: int) -> int:
    """The place of a table's field."""
    return int(table.Offset(4 + 2 * number)) + int(table.Pos)


def tables(table: Table, number: int) -> list[Table]:
    """A field that is a list of tables."""
    offset = table.Offset(4 + 2 * number)
    start = table.Vector(offset)
    return [Table(table.Bytes, table.Indirect(start + 4 * index)) for index in range(table.VectorLen(offset))]


def first_of(table: Table, number: int) -> Table:
    return tables(table, number)[0]


@pytest.mark.parametrize("variant", FLOAT32, ids=lambda variant: variant.format)
def test_a_damaged_file_is_said_to_be_one(variant: Variant, write: Write, tmp_path: Path) -> None:
    file = write(variant)
    if file.is_dir():
        damaged = tmp_path / "saved_model"
        damaged.mkdir()
        (damaged / "saved_model.pb").write_bytes(b"no")
    else:
        damaged = tmp_path / file.name
        damaged.write_bytes(file.read_bytes()[: len(file.read_bytes()) // 2])
    with pytest.raises(UserError, match="cannot be read as an exported detector"):
        Detector.load(damaged)


@pytest.mark.parametrize(
    ("missing", "variant", "extra"),
    [
        ("tf2onnx", Variant("onnx", "float32"), "onnx"),
        ("nncf", Variant("openvino", "int8"), "int8"),
        ("ai_edge_litert", Variant("litert", "float32"), "litert"),
    ],
)
def test_what_is_not_installed(missing: str, variant: Variant, extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == missing or name.startswith("ssd.export.")]:
        monkeypatch.delitem(sys.modules, name)
    for name in [name for name in sys.modules if name.startswith("ssd.inference.litert")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(
        UserError, match=rf"needs {missing}, which is not installed: pip install -c constraints.txt -e '.\[{extra}\]'"
    ):
        check_installed(variant)
