"""Every kind of image file comes out as the picture that went in, whatever its name says."""

import io
import struct
from collections.abc import Callable, Mapping
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms, TiffImagePlugin

from ssd.data.images import decode_image, encoded_size
from ssd.errors import UserError

HEIGHT, WIDTH = 48, 64
_Y, _X = np.mgrid[0:HEIGHT, 0:WIDTH]
RGB = np.stack([_X * 4, _Y * 5, np.full_like(_X, 128)], axis=-1).astype(np.uint8)
GREY = RGB[..., 0]
ALPHA = RGB[..., 1]
DEEP = RGB.astype(np.uint16) * 257
GREY3 = np.repeat(GREY[..., None], 3, axis=2)


def pillow(kind: str, image: np.ndarray | Image.Image, **arguments: Any) -> bytes:
    file = io.BytesIO()
    (Image.fromarray(image) if isinstance(image, np.ndarray) else image).save(file, format=kind, **arguments)
    return file.getvalue()


def opencv(suffix: str, rgb: np.ndarray) -> bytes:
    """The colours of `rgb` in OpenCV's order; an alpha channel stays the last one."""
    return cv2.imencode(suffix, rgb[..., [2, 1, 0, 3][: rgb.shape[2]]] if rgb.ndim == 3 else rgb)[1].tobytes()


def tiff(
    values: np.ndarray, bits: int, fraction: bool = False, order: str = "<", tags: Mapping[int, int] = {}
) -> bytes:
    """An uncompressed one of RGB or grey values, by hand: Pillow writes none of more than 8 bits in colour."""
    samples = values.shape[2] if values.ndim == 3 else 1
    if bits == 12:
        rows = np.unpackbits(values.astype(">u2").view(np.uint8).reshape(HEIGHT, -1, 16 // 8), axis=-1)[..., 4:]
        pixels = np.packbits(rows.reshape(HEIGHT, -1), axis=1).tobytes()
    else:
        pixels = values.astype(f"{order}{'f' if fraction else 'u'}{bits // 8}").tobytes()
    photometric = 2 if samples > 2 else 1
    entries = {254: 0, 256: WIDTH, 257: HEIGHT, 258: bits, 259: 1, 262: photometric, 273: 8, 277: samples, 278: HEIGHT}
    entries |= {279: len(pixels), 339: 3 if fraction else 1} | dict(tags)
    end = 8 + len(pixels)
    many = {258, 339} if samples > 1 else set()
    outside = end + 2 + 12 * len(entries) + 4
    body, extra = struct.pack(f"{order}H", len(entries)), b""
    for tag, value in sorted(entries.items()):
        if tag in many:
            body += struct.pack(f"{order}HHII", tag, 3, samples, outside + len(extra))
            extra += struct.pack(f"{order}{samples}H", *[value] * samples)
        else:
            body += struct.pack(f"{order}HHII", tag, 4, 1, value)
    start = b"II*\0" if order == "<" else b"MM\0*"
    return start + struct.pack(f"{order}I", end) + pixels + body + b"\0\0\0\0" + extra


def in_text(values: np.ndarray) -> bytes:
    return " ".join(map(str, values.ravel().tolist())).encode()


def psd(rgb: np.ndarray) -> bytes:
    """Without layers: the flat picture that Photoshop adds, channel by channel, by hand as Pillow writes none."""
    head = struct.pack(">4sH6xHIIHH", b"8BPS", 1, 3, HEIGHT, WIDTH, 8, 3)
    return head + bytes(3 * 4) + struct.pack(">H", 0) + rgb.transpose(2, 0, 1).tobytes()


def in_lab() -> Image.Image:
    to_lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    return ImageCms.profileToProfile(Image.fromarray(RGB), *to_lab, outputMode="LAB")  # type: ignore[return-value]


BLACK = Image.new("RGB", (WIDTH, HEIGHT))
CMYK = Image.fromarray(RGB).convert("CMYK")
RGBA = np.dstack([RGB, ALPHA])
FILES: dict[str, tuple[Callable[[], bytes], np.ndarray, float]] = {  # file, picture, mean error of a value
    "jpeg": (lambda: pillow("JPEG", RGB, quality=95), RGB, 1),
    "jpeg progressive": (lambda: pillow("JPEG", RGB, quality=95, progressive=True), RGB, 1),
    "jpeg grey": (lambda: pillow("JPEG", GREY, quality=95), GREY3, 1),
    "jpeg cmyk": (lambda: pillow("JPEG", CMYK, quality=95), RGB, 1.5),
    "mpo": (lambda: pillow("MPO", Image.fromarray(RGB), save_all=True, append_images=[BLACK], quality=95), RGB, 1),
    "png palette, transparent": (lambda: pillow("PNG", Image.fromarray(GREY).convert("P"), transparency=9), GREY3, 0),
    "png 1 bit": (lambda: pillow("PNG", Image.fromarray(GREY > 127)), (GREY3 > 127) * 255, 0),
    "png grey and alpha": (lambda: pillow("PNG", Image.fromarray(np.dstack([GREY, ALPHA]))), GREY3, 0),
    "png 16 bits": (lambda: opencv(".png", DEEP), RGB, 0),
    "png 16 bits and alpha": (lambda: opencv(".png", np.dstack([DEEP, 257 * ALPHA.astype(np.uint16)])), RGB, 0),
    "png 12 of 16 bits": (lambda: opencv(".png", RGB.astype(np.uint16) * 16), RGB, 0),
    "png grey 12 of 16 bits": (lambda: opencv(".png", GREY.astype(np.uint16) * 16), GREY3, 0),
    "png animated": (lambda: pillow("PNG", RGB, save_all=True, append_images=[BLACK]), RGB, 0),
    "webp": (lambda: pillow("WEBP", RGB, quality=95), RGB, 2),
    "webp and alpha": (lambda: pillow("WEBP", RGBA, lossless=True, exact=True), RGB, 0),
    "webp animated": (lambda: pillow("WEBP", RGB, lossless=True, save_all=True, append_images=[BLACK]), RGB, 0),
    "bmp": (lambda: pillow("BMP", RGB), RGB, 0),
    "bmp and alpha": (lambda: pillow("BMP", RGBA), RGB, 0),
    "gif": (lambda: pillow("GIF", GREY, interlace=1), GREY3, 0),
    "gif animated": (lambda: pillow("GIF", GREY, save_all=True, append_images=[BLACK]), GREY3, 0),
    "jp2": (lambda: pillow("JPEG2000", RGB), RGB, 0),
    "j2k": (lambda: pillow("JPEG2000", RGB, no_jp2=True), RGB, 0),
    "jp2 16 bits": (lambda: opencv(".jp2", DEEP), RGB, 0),
    "avif": (lambda: pillow("AVIF", RGB, quality=95), RGB, 1.5),
    "avif and alpha": (lambda: pillow("AVIF", RGBA, quality=95), RGB, 1.5),
    "ppm": (lambda: pillow("PPM", RGB), RGB, 0),
    "pgm 12 bits": (lambda: b"P5\n64 48\n4095\n" + (GREY.astype(np.uint16) * 16).astype(">u2").tobytes(), GREY3, 0),
    "ppm as text": (lambda: b"P3\n# a note\n64 48\n255\n" + in_text(RGB), RGB, 0),
    "pgm as text, 12 bits": (lambda: b"P2 64 48 4095\n" + in_text(GREY.astype(int) * 16), GREY3, 0),
    "pbm as text": (lambda: b"P1 64 48\n" + in_text((GREY < 128).astype(int)), (GREY3 > 127) * 255, 0),
    "ico": (lambda: pillow("ICO", Image.fromarray(RGB), sizes=[(64, 48)]), RGB, 0),
    "psd": (lambda: psd(RGB), RGB, 0),
    "tiff": (lambda: pillow("TIFF", RGB), RGB, 0),
    "tiff lzw and alpha": (lambda: pillow("TIFF", RGBA, compression="tiff_lzw"), RGB, 0),
    "tiff jpeg": (lambda: pillow("TIFF", RGB, compression="jpeg", quality=95), RGB, 1.5),
    "tiff fax": (lambda: pillow("TIFF", Image.fromarray(GREY > 127), compression="group4"), (GREY3 > 127) * 255, 0),
    "tiff cmyk": (lambda: pillow("TIFF", CMYK), RGB, 0),
    "tiff lab": (lambda: pillow("TIFF", in_lab()), RGB, 1.5),
    "tiff of several": (lambda: cv2.imencodemulti(".tif", [RGB[..., ::-1], RGB * 0])[1].tobytes(), RGB, 0),
    "tiff 16 bits": (lambda: tiff(DEEP, 16), RGB, 0),
    "tiff 16 bits lzw": (lambda: opencv(".tif", DEEP), RGB, 0),
    "tiff 16 bits, big-endian": (lambda: tiff(DEEP, 16, order=">"), RGB, 0),
    "tiff 16 bits and alpha": (lambda: tiff(np.dstack([DEEP, DEEP[..., :1]]), 16, tags={338: 2}), RGB, 0),
    "tiff 12 of 16 bits": (lambda: tiff(GREY.astype(np.uint16) * 16, 16), GREY3, 0),
    "tiff 12 bits": (lambda: tiff(GREY.astype(np.uint16) * 16, 12), GREY3, 0),
    "tiff 12 bits rgb": (lambda: tiff(RGB.astype(np.uint16) * 16, 12), RGB, 0),
    "tiff fractions": (lambda: tiff(GREY / 255, 32, fraction=True), GREY3, 0),
    "tiff fractions rgb": (lambda: tiff(RGB / 255, 32, fraction=True), RGB, 0),
    "tiff fractions of 64 bits": (lambda: tiff(RGB / 255, 64, fraction=True), RGB, 0),
}  # fmt: skip


@pytest.mark.parametrize("kind", FILES)
def test_the_picture_comes_out(kind: str) -> None:
    make, picture, tolerance = FILES[kind]
    data = make()
    image = decode_image(data, "of another.kind")
    assert (image.dtype, image.shape, encoded_size(data, kind)) == (np.uint8, picture.shape, picture.shape[:2])
    assert np.abs(image.astype(int) - picture).mean() <= tolerance


@pytest.mark.parametrize(("image", "picture"), [(RGB, RGB), (GREY, GREY3), (RGBA, RGB)])
@pytest.mark.parametrize("compression", [None, "tga_rle"])
def test_tga_is_told_by_its_name(image: np.ndarray, picture: np.ndarray, compression: str | None) -> None:
    data = pillow("TGA", image, compression=compression)
    np.testing.assert_array_equal(decode_image(data, "a.TGA"), picture)
    assert encoded_size(data, "a.tga") == (HEIGHT, WIDTH)
    with pytest.raises(UserError, match=r"a\.jpg"):
        decode_image(data, "a.jpg")


def test_heic_comes_out_where_its_package_is() -> None:
    heif = pytest.importorskip("pillow_heif")
    heif.register_heif_opener()
    image = decode_image(pillow("HEIF", RGB, quality=95), "a.heic")
    assert np.abs(image.astype(int) - RGB).mean() < 2


def test_heic_is_named_where_its_package_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pillow_heif", None)
    data = struct.pack(">I4s4sI4s4s", 24, b"ftyp", b"heic", 0, b"mif1", b"heic") + bytes(100)
    with pytest.raises(UserError, match=r"holiday.HEIC is a HEIC, for which a package is missing: pip install"):
        decode_image(data, "holiday.HEIC")


@pytest.mark.parametrize(
    ("values", "said"), [(GREY.astype(np.float64) - 100, "-100 to 152"), (np.full((48, 64), np.inf), "0 to|e+")]
)
def test_values_without_a_black_and_a_white_are_refused(values: np.ndarray, said: str) -> None:
    with pytest.raises(UserError, match=r"a.tif cannot be shown: its values go from") as error:
        decode_image(tiff(values, 32, fraction=True), "a.tif")
    assert any(part in str(error.value) for part in said.split("|"))


@pytest.mark.parametrize(
    "tags",
    [
        {259: 34712},  # JPEG 2000 in a TIFF, which OpenCV would make a black image of
        {262: 0},  # white is 0, which it would not turn round
        {284: 2},  # channels one after another, which it would mix up
        {254: 1},  # the small picture at the beginning of a camera's raw file
    ],
)
def test_tiffs_that_would_come_out_wrong_are_refused(tags: Mapping[int, int]) -> None:
    with pytest.raises(UserError, match="cannot be decoded"):
        decode_image(tiff(DEEP, 16, tags=tags), "a.tif")


@pytest.mark.parametrize("kind", ["tiff", "tiff 16 bits", "tiff fractions", "avif", "gif", "png 16 bits"])
@pytest.mark.parametrize("kept", [0.02, 0.5, 0.9])
def test_a_file_that_ends_early_is_refused(kind: str, kept: float) -> None:
    data = FILES[kind][0]()
    with pytest.raises(UserError, match=r"cannot be (decoded|read)"):
        decode_image(data[: int(len(data) * kept)], "a.jpg")


def test_a_tiff_too_large_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(UserError, match="100000 x 48 pixels, more than the 1000 of"):
        decode_image(tiff(DEEP, 16, tags={256: 100_000}), "a.tif", max_pixels=1000)


def test_no_other_reader_of_pillow_is_asked() -> None:
    """One runs a program for PostScript, and most are little used."""
    with pytest.raises(UserError, match=r"a.png cannot be read \(UnidentifiedImageError\)"):
        decode_image(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n", "a.png")
    assert TiffImagePlugin.READ_LIBTIFF is False
