"""`from ssd import Detector`: whatever is an image goes in, detections come out; what is none is said."""

import io
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from helpers.fake_network import FakeNetwork, drawn
from ssd import Detector, ImageDetections
from ssd.environment import ROOT
from ssd.errors import UserError
from ssd.prediction import download as downloads
from ssd.prediction.pictures import read_picture

IMAGE = drawn(48, 64, red=((8, 6, 24, 30),), blue=((32, 30, 60, 45),))
BOXES = [(8, 6, 24, 30), (32, 30, 60, 45)]


@pytest.fixture
def detector() -> Detector:
    return Detector(FakeNetwork())


def png(image: np.ndarray = IMAGE, exif: int | None = None) -> bytes:
    data = io.BytesIO()
    tags = Image.Exif()
    if exif is not None:
        tags[0x0112] = exif
    Image.fromarray(image).save(data, "PNG", exif=tags)
    return data.getvalue()


def assert_found(found: ImageDetections) -> None:
    assert found.names == ["disc", "box"]
    assert found.image_size == (48, 64)
    np.testing.assert_allclose(found.xyxy, BOXES, atol=1)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.png"
    path.write_bytes(png())
    return path


def test_every_kind_of_image(detector: Detector, file: Path, served: tuple[str, Path]) -> None:
    address, folder = served
    (folder / "b.png").write_bytes(png())
    upright = Image.open(file)
    alpha = np.dstack([IMAGE, np.full(IMAGE.shape[:2], 7, np.uint8)])
    given: list[Any] = [
        *(file, str(file), png(), bytearray(png()), memoryview(png()), IMAGE, alpha, upright),
        *(upright.convert("RGBA"), upright.convert("P"), f"{address}/b.png"),
    ]
    for image in given:
        found = detector(image)
        assert isinstance(found, ImageDetections)
        assert_found(found)
    every = detector(given)
    assert [one.path for one in every] == [str(file), str(file), *[None] * 8, f"{address}/b.png"]
    for one in [*every, *detector(iter(given)), *detector(np.stack([IMAGE, IMAGE]))]:
        assert_found(one)
    assert detector([]) == []


def test_grey_arrays_have_three_equal_channels() -> None:
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4)
    for given in (grey, grey[..., None]):
        np.testing.assert_array_equal(read_picture(given).image, np.dstack([grey] * 3))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_files_bytes_and_images_of_pillow_are_turned_by_exif(detector: Detector, orientation: int) -> None:
    data = png(exif=orientation)
    first, second = detector([data, Image.open(io.BytesIO(data))])
    upright = np.array(Image.open(io.BytesIO(data)).convert("RGB"))
    assert first.image_size == ((48, 64) if orientation < 5 else (64, 48))
    np.testing.assert_array_equal(first.xyxy, second.xyxy)
    assert first.image is not None
    assert second.image is not None
    np.testing.assert_array_equal(first.image, second.image)
    assert np.array_equal(first.image, upright) == (orientation == 1)


def test_a_stream_takes_images_as_it_needs_them(file: Path) -> None:
    taken = 0

    def images() -> Any:
        nonlocal taken
        while True:
            taken += 1
            yield file

    network = FakeNetwork()
    stream = Detector(network, batch_size=3).stream(images())
    assert_found(next(stream))
    assert taken <= 12
    assert set(network.calls) == {3}
    stream.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (None, "None is no image; give a path"),
        (3, "a int is no image"),
        ("nowhere.jpg", r"nowhere\.jpg cannot be read \(No such file"),
        (".", r"\. is a folder, not an image; give its images"),
        (b"", "is an empty file"),
        (b"text", "of 4 bytes cannot be read"),
        (IMAGE / 255, "an array of float64; give uint8"),
        (IMAGE[..., :2], r"shape \(48, 64, 2\); give \(H, W, 3\)"),
        (IMAGE[:0], r"shape \(0, 64, 3\)"),
        (Image.new("I;16", (4, 4)), "mode I;16, not 8 bits"),
        ([IMAGE, None], "None is no image"),
        ("http://127.0.0.1:9/a.jpg", "cannot be reached"),
    ],
)
def test_what_is_no_image_is_said(detector: Detector, given: Any, said: str) -> None:
    with pytest.raises(UserError, match=said):
        detector(given)


def test_too_many_pixels(file: Path) -> None:
    detector = Detector(FakeNetwork(), max_pixels=48 * 64 - 1)
    for given in (file, png(), IMAGE, Image.fromarray(IMAGE)):
        with pytest.raises(UserError, match="has 64 x 48 pixels, more than the 3071"):
            detector(given)
    assert_found(Detector(FakeNetwork(), max_pixels=48 * 64)(file))


def test_addresses_within_bounds_of_bytes_and_time(
    detector: Detector, served: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, folder = served
    (folder / "page.html").write_text("<p>no image</p>")
    monkeypatch.setattr(downloads, "MAX_BYTES", 150_000)
    monkeypatch.setattr(downloads, "SILENCE", 0.2)
    monkeypatch.setattr(downloads, "SECONDS", 0.3)
    for path, said in {
        "gone.jpg": "gives no image .the server says 404",
        "page.html": "cannot be read .UnidentifiedImageError.: it is empty, cut short, damaged or not an image",
        "endless": "has more than 150000 bytes",
        "slow": "does not answer within 0.2 s",
        "trickle": "takes more than 0.3 s",
    }.items():
        with pytest.raises(UserError, match=said):
            detector(f"{address}/{path}")


def test_thresholds_of_all_of_classes_and_of_a_call() -> None:
    network = FakeNetwork()  # discs have 0.9, boxes 0.6
    assert Detector(network, score_threshold=0.7)(IMAGE).names == ["disc"]
    assert Detector(network, score_threshold=0.7)(IMAGE, score_threshold=0.1).names == ["disc", "box"]
    assert Detector(network, class_thresholds={"disc": 0.95})(IMAGE).names == ["box"]
    assert Detector(network, score_threshold=0.95, class_thresholds={"box": 0.5})(IMAGE).names == ["box"]
    for settings, said in (
        ({"class_thresholds": {"dics": 0.5}}, "no class 'dics'; did you mean 'disc'"),
        ({"class_thresholds": {"disc": 2}}, r"class_thresholds\['disc'\]=2 must be between 0 and 1"),
        ({"score_threshold": -1}, "score_threshold=-1 must be"),
        ({"tile": 0}, "tile=0 must be at least 1"),
        ({"tile_overlap": 1.0}, r"tile_overlap=1\.0"),
        ({"batch_size": 0}, "batch_size=0"),
    ):
        with pytest.raises(UserError, match=said):
            Detector(network, **settings)  # type: ignore[arg-type]


def test_detections_are_looked_at_one_by_one_and_filtered(detector: Detector) -> None:
    found = detector(IMAGE)
    assert len(found) == 2
    first, second = found
    assert first == found[0]
    assert (first.class_name, first.label) == ("disc", 0)
    assert first.score == pytest.approx(0.9)
    assert first.box == pytest.approx(BOXES[0], abs=1)
    assert second == found[-1]
    np.testing.assert_allclose(found.boxes[0], [6 / 48, 8 / 64, 30 / 48, 24 / 64], atol=0.02)
    assert found[1:].names == ["box"]
    assert found.filter("disc").names == ["disc"]
    assert found.filter(["box", "disc"]).names == ["disc", "box"]
    assert found.filter(classes=[]).names == []
    assert found.filter(score=0.7).names == ["disc"]
    assert found.above(0.7).names == ["disc"]
    assert found.filter(region=(0, 0, 32, 48)).names == ["disc"]  # the centres are 16, 18 and 46, 37.5
    assert found.filter(region=(10, 10, 64, 48)).names == ["disc", "box"]
    assert found.filter("box", score=0.7).names == []
    with pytest.raises(UserError, match="no class 'discs'; did you mean 'disc'"):
        found.filter("discs")
    assert "image=" not in repr(found)
    with pytest.raises(IndexError):
        found[2]


def test_drawing_and_crops_of_a_file_and_of_pixels(detector: Detector, file: Path, tmp_path: Path) -> None:
    of_file, of_pixels = detector([file, IMAGE])
    assert of_file.image is None
    for found, stem in ((of_file, "a"), (of_pixels, "image")):
        picture = found.draw()
        assert picture.size == (64, 48)
        assert not np.array_equal(np.array(picture), IMAGE)
        folder = tmp_path / f"crops of {stem}"
        files = found.save_crops(folder)
        assert files == [folder / "disc" / f"{stem}_1.jpg", folder / "box" / f"{stem}_2.jpg"]
        with Image.open(files[0]) as crop:
            assert np.abs(np.array(crop.size) - (16, 24)).max() <= 1
            red, green, _ = np.array(crop.resize((1, 1))).ravel().tolist()
            assert red > 200 > 60 > green
        again = found.save_crops(folder)
        assert again[0] == folder / "disc" / f"{stem}_1_2.jpg"
        assert len(list(folder.rglob("*.jpg"))) == 4
    file.write_bytes(png(IMAGE[:40]))
    with pytest.raises(UserError, match="has changed since"):
        of_file.draw()
    file.unlink()
    with pytest.raises(UserError, match="cannot be read"):
        of_file.draw()


def test_other_libraries_forms(detector: Detector, monkeypatch: pytest.MonkeyPatch) -> None:
    found = detector(IMAGE)
    first, second = found.to_coco(image_id=7)
    assert (first["image_id"], first["category_id"], second["category_id"]) == (7, 1, 2)
    assert first["bbox"] == pytest.approx([8, 6, 16, 24], abs=1.5)
    table = found.to_pandas()
    assert list(table.columns) == ["class_name", "label", "score", "xmin", "ymin", "xmax", "ymax"]
    assert table.class_name.tolist() == ["disc", "box"]
    assert list(detector(IMAGE[:2, :2]).to_pandas().columns) == list(table.columns)
    monkeypatch.setitem(sys.modules, "supervision", None)
    with pytest.raises(UserError, match="to_supervision needs supervision, which is not installed"):
        found.to_supervision()
    monkeypatch.setitem(sys.modules, "supervision", SimpleNamespace(Detections=SimpleNamespace))  # type: ignore[arg-type]
    theirs = found.to_supervision()
    np.testing.assert_array_equal(theirs.xyxy, found.xyxy)
    assert theirs.class_id.tolist() == [0, 1]
    assert theirs.data["class_name"].tolist() == ["disc", "box"]
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(UserError, match="to_pandas needs pandas"):
        found.to_pandas()


def test_importing_takes_no_framework() -> None:
    script = (
        "import sys, ssd; assert 'numpy' not in sys.modules; from ssd import Detector, ImageDetections; "
        "import ssd.prediction.loading; "
        "heavy = {'tensorflow', 'keras', 'mlflow', 'matplotlib', 'hydra', 'requests'}; "
        "sys.exit(' '.join(heavy & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    with pytest.raises(ImportError, match="cannot import name 'Nothing' from 'ssd'"):
        from ssd import Nothing  # type: ignore[attr-defined]  # noqa: F401
