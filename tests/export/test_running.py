"""A detector in the runtime that was chosen: converted once, the same detections, Keras where it does not go."""

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from helpers.fake_detector import make_detector
from ssd.errors import UserError
from ssd.export import converted as conversions
from ssd.export import write
from ssd.export.differences import differences
from ssd.export.matrix import Variant
from ssd.export.running import running
from ssd.inference.exported import ExportedNetwork
from ssd.inference.keras_network import KerasNetwork
from ssd.inference.runtimes import Choice, choose_runtime
from ssd.models.checkpoint import load_detector
from ssd.models.detector import SSD

IMAGES = np.random.default_rng(0).integers(0, 256, (11, 32, 32, 3), dtype=np.uint8)
AUTO = Choice("openvino", "float32", "auto: no GPU here", is_auto=True)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "cache"
    monkeypatch.setattr(conversions, "cache_folder", lambda: place)
    return place


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    make_detector().save(tmp_path / "best.keras")
    return tmp_path / "best.keras"


def run(
    file: Path, choice: Choice = AUTO, load: Callable[[Path], SSD] = load_detector
) -> KerasNetwork | ExportedNetwork:
    return running(choice, "auto", 8, lambda: load(file), file)


def no_load(file: Path) -> SSD:
    raise UserError("nothing has to be loaded")


@pytest.mark.parametrize("runtime", ["keras", "openvino", "onnxruntime", "litert"])
def test_every_runtime_finds_the_same(runtime: str, cache: Path, checkpoint: Path) -> None:
    network = run(checkpoint, choose_runtime(runtime, "float32"))
    assert (network.runtime, network.precision) == (runtime, "float32")
    model = load_detector(checkpoint)
    found = differences(KerasNetwork(model)(IMAGES, 0.01), network(IMAGES, 0.01), model.nms, least=0.0)
    assert (found.detections, found.missing, found.extra) == (5 * len(IMAGES), 0, 0)
    assert max(found.box, found.score) < 1e-5


def test_a_second_start_converts_nothing(cache: Path, checkpoint: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "ssd")
    first = run(checkpoint)
    second = run(checkpoint, load=no_load)
    for one, other in zip(first(IMAGES, 0.01), second(IMAGES, 0.01), strict=True):
        np.testing.assert_array_equal(one.scores, other.scores)
    said = [line for line in caplog.messages if line.startswith("runtime")]
    assert [line.rpartition(", ")[0] for line in said] == ["runtime openvino in float32 (auto: no GPU here)"] * 2
    assert [line.rpartition(", ")[2].split()[:2] for line in said] == [["converted", "in"], ["converted", "before"]]
    with pytest.raises(UserError, match="nothing has to be loaded"):
        run(checkpoint, Choice("openvino", "bfloat16", "as configured"), no_load)  # another one


def test_other_content_is_converted_anew(cache: Path, checkpoint: Path) -> None:
    before = run(checkpoint)(IMAGES, 0.01)
    model = make_detector()
    head = model.get_layer("class_head_0")
    head.bias.assign(head.bias + np.tile([0.0, 1.0, 0.0], 4))
    model.save(checkpoint)
    after = run(checkpoint)(IMAGES, 0.01)
    assert after[0].scores[0] != before[0].scores[0]
    assert len(list(cache.iterdir())) == 2


@pytest.mark.parametrize("harm", ["cut", "changed", "gone"])
def test_what_is_damaged_is_made_again(harm: str, cache: Path, checkpoint: Path) -> None:
    run(checkpoint)
    (entry,) = cache.iterdir()
    weights = next(entry.glob("*.bin"))
    content = weights.read_bytes()
    if harm == "gone":
        weights.unlink()
    else:
        weights.write_bytes(content[:-5] if harm == "cut" else content[:-1] + bytes([content[-1] ^ 1]))
    assert len(run(checkpoint)(IMAGES, 0.01)[0]) == 5
    assert next(entry.glob("*.bin")).read_bytes() == content


def test_a_cache_that_cannot_be_written_is_done_without(cache: Path, checkpoint: Path) -> None:
    cache.write_text("a file in its place")
    assert len(run(checkpoint)(IMAGES, 0.01)[0]) == 5
    assert cache.is_file()


def test_the_cache_does_not_grow_for_ever(cache: Path, checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(checkpoint)
    (old,) = cache.iterdir()
    size = sum(file.stat().st_size for file in old.iterdir())
    monkeypatch.setattr(conversions, "_MOST_BYTES", int(1.8 * size))  # not enough for another one
    run(checkpoint, Choice("openvino", "bfloat16", "as configured"))
    (new,) = cache.iterdir()
    assert new != old


def test_keras_runs_what_cannot_be_converted(
    cache: Path, checkpoint: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> Path:
        raise RuntimeError("no such operation")

    monkeypatch.setattr(write, "write_export", fail)
    caplog.set_level(logging.INFO, "ssd")
    network = run(checkpoint)
    assert network.runtime == "keras"
    assert caplog.messages[-1] == (
        "runtime keras (auto: the detector cannot be converted (RuntimeError: no such operation))"
    )
    with pytest.raises(UserError, match=r"^runtime=openvino: the detector cannot be converted .*; take runtime=keras$"):
        run(checkpoint, choose_runtime("openvino", "float32"))


def test_scores_below_the_detectors_own_are_kerass(cache: Path, checkpoint: Path) -> None:
    model = load_detector(checkpoint)
    model.nms = replace(model.nms, score_threshold=0.48)
    model.save(checkpoint)
    network = run(checkpoint)
    above, every = network(IMAGES, 0.48), network(IMAGES, 0.1)
    assert min(one.scores.min(initial=1.0) for one in above) >= 0.48 > min(one.scores.min() for one in every)
    for one, other in zip(every, KerasNetwork(model)(IMAGES, 0.1), strict=True):
        np.testing.assert_array_equal(one.scores, other.scores)
    with pytest.raises(UserError, match=r"a score_threshold of 0\.1 is below 0\.48"):
        run(checkpoint, choose_runtime("openvino", "float32"))(IMAGES, 0.1)


def test_layers_of_ones_own_are_not_kept(cache: Path, checkpoint: Path) -> None:
    class Own(keras.layers.ReLU):
        """Whose code may change."""

    model = make_detector()
    image = keras.Input((32, 32, 3), dtype="uint8")
    backbone = keras.Model(image, [Own()(model.backbone(image)[0])])
    own = SSD(backbone, ["disc"], [], model.prior_spec, (0.1, 0.1, 0.2, 0.2), False, model.nms)
    with conversions.converted(Variant("openvino", "float32"), lambda: own, checkpoint) as conversion:
        assert conversion.file.is_file()
    assert not cache.exists()
