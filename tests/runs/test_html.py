"""The report in one HTML file: pictures inside, nothing loaded, nothing run, whatever names hold."""

import base64
import re
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ssd.runs.html import self_contained


class Seen(HTMLParser):
    """The elements of a page with their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page.partition("<body>")[2])

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    @property
    def pictures(self) -> list[str]:
        return [str(attributes["src"]) for tag, attributes in self.elements if tag == "img"]


def decoded(source: str) -> tuple[str, bytes]:
    """MIME type and content of a data URI."""
    found = re.fullmatch(r"data:(image/\w+);base64,([\w+/=]+)", source)
    assert found is not None, source[:60]
    return found[1], base64.b64decode(found[2])


def noise(path: Path, width: int, height: int) -> Path:
    """A picture that cannot be compressed well."""
    path.parent.mkdir(exist_ok=True)
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def test_a_small_picture_is_in_the_page_as_it_is(tmp_path: Path) -> None:
    file = noise(tmp_path / "plots" / "the curves.png", 20, 10)
    page = Seen(self_contained("# A run\n\n![Curves](plots/the%20curves.png)\n", tmp_path))
    (source,) = page.pictures
    assert decoded(source) == ("image/png", file.read_bytes())
    assert ("img", {"src": source, "alt": "Curves"}) in page.elements


def test_big_pictures_are_made_smaller_until_the_page_can_be_mailed(tmp_path: Path) -> None:
    for number in range(3):
        noise(tmp_path / f"{number}.png", 2400, 800)
    page = self_contained("\n\n".join(f"![{number}]({number}.png)" for number in range(3)), tmp_path)
    assert len(page) < 2_100_000
    for source in Seen(page).pictures:
        kind, data = decoded(source)
        assert kind == "image/webp"
        with Image.open(BytesIO(data)) as picture:
            assert 700 <= picture.width <= 2000
            assert picture.width / picture.height == pytest.approx(3, abs=0.01)


def test_a_picture_may_be_very_high(tmp_path: Path) -> None:
    Image.new("RGB", (1000, 20_000)).save(tmp_path / "high.bmp")  # WebP has at most 16,383 rows
    (source,) = Seen(self_contained("![x](high.bmp)", tmp_path)).pictures
    with Image.open(BytesIO(decoded(source)[1])) as picture:
        assert picture.size == (819, 16_383)


@pytest.mark.parametrize(
    "source",
    [
        "../secret.png",
        "/etc/passwd",
        "plots/link.png",
        "notes.txt",
        "gone.png",
        "plots",
        "http://example.com/a.png",
        "//example.com/a.png",
        "data:image/png;base64,AAAA",
        "%00.png",
        "a" * 500,
    ],
)
def test_only_pictures_of_the_folder_are_put_in(tmp_path: Path, source: str) -> None:
    folder = tmp_path / "run"
    (folder / "plots").mkdir(parents=True)
    secret = noise(tmp_path / "secret.png", 4, 4)
    (folder / "plots" / "link.png").symlink_to(secret)
    (folder / "notes.txt").write_text("private")
    page = self_contained(f"![the *caption*]({source})", folder)
    assert Seen(page).pictures == []
    assert "the *caption*" in Seen(page).text
    assert base64.b64encode(secret.read_bytes()).decode() not in page


NAMES = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "&lt;b&gt;",
    "![x](http://example.com/a.png)",
    "[x](http://example.com)",
    "[x](javascript:alert(1))",
    "<http://example.com>",
    "<style>*{}</style>",
    "</style><script>1</script>",
    '"><script>1</script>',
    "[x]: http://example.com",
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "place", ["# {}\n", "| class | AP |\n| --- | ---: |\n| {} | 0.5 |\n", "{}\n", "```sh\n{}\n```\n"]
)
def test_names_are_shown_and_do_nothing(tmp_path: Path, name: str, place: str) -> None:
    page = self_contained(place.format(name), tmp_path)
    harmless = {"h1", "p", "div", "table", "thead", "tbody", "tr", "th", "td", "pre", "code", "img", "em"}
    for tag, attributes in Seen(page).elements:
        assert tag in harmless
        assert set(attributes) <= {"class", "style"}
    assert page.count("<script") == 0
    assert page.count("<style") == page.count("</style") == 1
    assert page.count("<title>") == page.count("</title>") == 1


def test_a_page_is_whole_and_says_so_to_browsers(tmp_path: Path) -> None:
    text = "# A & B\n\n| a | b |\n| --- | ---: |\n| x \\| y | 1 |\n\n```sh\npython run.py\n```\n\n- [0_job](0_job)\n"
    page = self_contained(text, tmp_path)
    assert page.startswith("<!doctype html>\n")
    assert page.endswith("</html>\n")
    assert "<title>A &amp; B</title>" in page
    assert "default-src 'none'" in page
    assert "width=device-width" in page
    assert '<div class="wide"><table>' in page
    assert '<td style="text-align:right">1</td>' in page
    assert "<td>x | y</td>" in page
    assert "<li>0_job</li>" in page
    assert "http" not in page.replace("http-equiv", "")


def test_a_report_without_a_heading_has_a_title(tmp_path: Path) -> None:
    assert "<title>Report</title>" in self_contained("text", tmp_path)
