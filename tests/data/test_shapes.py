"""The embedded data set: fair labels, the same bytes for the same seed, nothing shared between its splits."""

import hashlib
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from ssd.data import kept, sources
from ssd.data.digest import annotation_digest
from ssd.data.readers import tfds_records
from ssd.data.readers.shapes import Shapes, shapes
from ssd.data.readers.shapes_drawing import CLASS_NAMES, Scene, _rasterise, _tight_box, draw_scene
from ssd.data.sample import Dataset, Splits
from ssd.errors import UserError


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return [draw_scene(np.random.default_rng((0, 0, i)), 128) for i in range(300)]


def _shapes(folder: Path, seed: int = 0, train_images: int = 30) -> Splits:
    return shapes(train_images, 10, 96, seed, str(folder))


def _pixels(dataset: Dataset) -> list[str]:
    return sorted(hashlib.sha256(dataset.read(i)).hexdigest() for i in range(len(dataset)))


def test_boxes_lie_in_their_image_and_labels_are_known(scenes: list[Scene]) -> None:
    for scene in scenes:
        height, width = scene.image.shape[:2]
        assert max(height, width) == 128
        assert scene.image.dtype == np.uint8
        assert len(scene.boxes) == len(scene.labels)
        assert (scene.boxes[:, :2] >= 0).all()
        assert (scene.boxes[:, 2:] <= (height, width)).all()
        assert (scene.boxes[:, 2:] > scene.boxes[:, :2]).all()
    assert set(np.concatenate([scene.labels for scene in scenes])) == set(range(len(CLASS_NAMES)))


def test_scenes_vary_as_promised(scenes: list[Scene]) -> None:
    counts = np.array([len(scene.labels) for scene in scenes])
    assert 0.02 < (counts == 0).mean() < 0.12
    assert counts.max() >= 5
    sides = np.concatenate([(scene.boxes[:, 2:] - scene.boxes[:, :2]).max(axis=1) for scene in scenes]) / 128
    assert 0.07 < sides.min() < 0.17
    assert 0.48 < sides.max() < 0.62
    assert len({scene.image.shape for scene in scenes}) == 5
    overlapping = sum(
        bool((np.maximum(a[:2], b[:2]) < np.minimum(a[2:], b[2:])).all())
        for scene in scenes
        for i, a in enumerate(scene.boxes)
        for b in scene.boxes[:i]
    )
    assert overlapping > 30


def test_a_shape_is_drawn_where_its_coordinates_say() -> None:
    """A square over pixels 3 ... 8 by 4 ... 6 with a hole of one pixel, and one that the border cuts in half."""
    square = np.array([(3, 4), (9, 4), (9, 7), (3, 7)], np.float64)
    hole = np.array([(5, 5), (6, 5), (6, 6), (5, 6)], np.float64)
    alpha, area = _rasterise([square, hole], 12, 12)
    assert _tight_box(alpha >= 0.5) == (4, 3, 7, 9)
    assert area == 17
    alpha, area = _rasterise([square - (6, 0)], 12, 12)
    assert _tight_box(alpha >= 0.5) == (4, 0, 7, 3)
    assert area == 18


def test_shapes_stand_out_from_what_is_behind_them(scenes: list[Scene]) -> None:
    """Around the border of a lone circle's box and its middle the colour differs, so that it can be seen."""
    lone = [s for s in scenes if len(s.labels) == 1 and CLASS_NAMES[int(s.labels[0])] == "circle"]
    assert len(lone) > 3
    for scene in lone:
        ymin, xmin, ymax, xmax = scene.boxes[0]
        inside = scene.image[ymin:ymax, xmin:xmax].astype(float)
        height, width = inside.shape[:2]
        middle = inside[height // 3 : -height // 3, width // 3 : -width // 3].mean(axis=(0, 1))
        corners = np.stack([inside[:2, :2], inside[:2, -2:], inside[-2:, :2], inside[-2:, -2:]]).mean(axis=(1, 2))
        assert np.linalg.norm(corners - middle, axis=1).max() > 25


def test_the_same_seed_gives_the_same_bytes_and_another_others(tmp_path: Path) -> None:
    one, again, other = (_shapes(tmp_path / name, seed) for name, seed in (("a", 0), ("b", 0), ("c", 1)))
    for split in ("train", "val"):
        first, second, third = (getattr(splits, split) for splits in (one, again, other))
        assert [first.read(i) for i in range(len(first))] == [second.read(i) for i in range(len(second))]
        assert annotation_digest(first) == annotation_digest(second)
        assert not set(_pixels(first)) & set(_pixels(third))


def test_the_splits_share_no_image_and_have_the_asked_sizes(tmp_path: Path) -> None:
    splits = _shapes(tmp_path)
    assert (len(splits.train), len(splits.val)) == (30, 10)
    assert not set(_pixels(splits.train)) & set(_pixels(splits.val))
    assert splits.train.class_names == splits.val.class_names == CLASS_NAMES
    assert splits.train.name == "shapes:train"


def test_stored_boxes_are_the_drawn_ones(tmp_path: Path) -> None:
    dataset = _shapes(tmp_path, seed=3).train
    for i, annotation in enumerate(dataset.annotations):
        drawn = draw_scene(np.random.default_rng((3, 0, int(annotation.id[6:11]))), 96)
        pixels = annotation.boxes * np.tile([annotation.height, annotation.width], 2)
        np.testing.assert_allclose(pixels, drawn.boxes, atol=1e-4)
        assert annotation.labels.tolist() == drawn.labels.tolist()
        image = dataset[i].image
        assert image.shape == drawn.image.shape
        assert np.abs(image.astype(float) - drawn.image).mean() < 12  # JPEG


def test_reads_are_the_same_from_threads_and_after_pickling(tmp_path: Path) -> None:
    dataset = _shapes(tmp_path).train
    rows = list(range(len(dataset))) * 10
    alone = [dataset.read(i) for i in rows]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(dataset.read, rows)) == alone
    assert pickle.loads(pickle.dumps(dataset)).read(3) == alone[3]


def test_each_variant_has_its_own_files_and_is_drawn_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _shapes(tmp_path, train_images=5)
    _shapes(tmp_path, train_images=6)
    monkeypatch.setattr(Shapes, "_generate_examples", None)
    assert len(_shapes(tmp_path, train_images=5).train) == 5
    assert len(_shapes(tmp_path, train_images=6).train) == 6


def test_a_killed_drawing_starts_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("ssd.data.readers.shapes.draw_scene", killed)
        with pytest.raises(KeyboardInterrupt):
            _shapes(tmp_path)
    assert len(_shapes(tmp_path).train) == 30


def test_processes_may_draw_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other process, played from inside this one's drawing, is faster: its files are taken."""
    original = Shapes._split_generators
    other: list[Splits] = []

    def overtaken(self: Shapes, dl_manager: object) -> object:
        monkeypatch.setattr(Shapes, "_split_generators", original)
        other.append(_shapes(tmp_path))
        return original(self, dl_manager)

    monkeypatch.setattr(Shapes, "_split_generators", overtaken)
    mine = _shapes(tmp_path)
    assert annotation_digest(mine.train) == annotation_digest(other[0].train)


def test_another_process_may_be_done_just_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = Shapes.download_and_prepare

    def overtaken(self: Shapes, **options: object) -> None:
        monkeypatch.setattr(Shapes, "download_and_prepare", original)
        _shapes(tmp_path)
        original(self, **options)  # finds all there, and reads nothing of it

    monkeypatch.setattr(Shapes, "download_and_prepare", overtaken)
    assert len(_shapes(tmp_path).train) == 30


def test_another_process_may_be_done_when_this_one_has_just_looked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = Shapes.__init__

    def overtaken(self: Shapes, **options: object) -> None:
        original(self, **options)  # finds nothing
        monkeypatch.setattr(Shapes, "__init__", original)
        _shapes(tmp_path)

    monkeypatch.setattr(Shapes, "__init__", overtaken)
    assert len(_shapes(tmp_path).train) == 30


@pytest.mark.parametrize(
    ("arguments", "key"),
    [((0, 1, 96, 0), "train_images"), ((1, 0, 96, 0), "val_images"), ((1, 1, 8, 0), "image_size"),
     ((1, 1, 96, -1), "seed")],
)  # fmt: skip
def test_numbers_too_small_are_refused(tmp_path: Path, arguments: tuple[int, int, int, int], key: str) -> None:
    with pytest.raises(UserError, match=rf"dataset\.{key}=.* must be at least"):
        shapes(*arguments, str(tmp_path))


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"dataset\.data_dir=.*file cannot be written"):
        _shapes(tmp_path / "file")


def test_annotations_are_read_once_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(kept, "LEAST_IMAGES", 1)
    monkeypatch.setattr(sources.Stamp, "is_settled", lambda *_: True)
    first = shapes(6, 2, 64, 0, str(tmp_path / "drawn"))
    monkeypatch.setattr(tfds_records, "encoded_size", None)
    second = shapes(6, 2, 64, 0, str(tmp_path / "drawn"))
    for one, other in ((first.train, second.train), (first.val, second.val)):
        assert annotation_digest(one) == annotation_digest(other)
        np.testing.assert_array_equal(one[1].image, other[1].image)
