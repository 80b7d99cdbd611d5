"""A report as one HTML file that can be mailed: its pictures are in it, it has no script and loads nothing."""

from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from markdown_it import MarkdownIt
from markdown_it.token import Token
from PIL import Image

_SMALL = 300_000  # bytes of a picture of the full width that stays as it is: charts, whose thin lines would be blurred
_ENOUGH = 1_400_000  # bytes of all pictures, a third more as text
_WIDTHS = (2000, 1400, 1000, 700)  # pixels, tried in turn; the last is kept however much it comes to
_HIGHEST = 16_383  # pixels, of WebP
_LINKS = ("link_open", "link_close")
_TYPES = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp"}

_STYLE = """
:root { color-scheme: light dark; --ink: #1c1e21; --soft: #5d646d; --paper: #fff; --shade: #f3f4f6; --line: #d9dce1; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e6ea; --soft: #9aa2ad; --paper: #16181c; --shade: #22252b; --line: #383d45; }
}
body { max-width: 62rem; margin: 0 auto; padding: 1rem 1.25rem 4rem; color: var(--ink); background: var(--paper);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; line-height: 1.25; }
h2 { margin-top: 2.25rem; padding-bottom: .25rem; border-bottom: 1px solid var(--line); font-size: 1.25rem; }
h3 { margin-top: 1.75rem; font-size: 1rem; }
pre, code { font: .875rem/1.5 ui-monospace, monospace; background: var(--shade); border-radius: 4px; }
pre { padding: .75rem 1rem; white-space: pre-wrap; }
code { padding: .1em .3em; }
pre code { padding: 0; }
img { max-width: 100%; height: auto; background: #fff; border-radius: 4px; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9375rem; font-variant-numeric: tabular-nums; overflow-wrap: normal; }
th, td { padding: .3rem .75rem .3rem 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
th { color: var(--soft); font-weight: 600; }
@media (max-width: 40rem) {
  table { font-size: .8125rem; }
  th, td { padding-right: .5rem; }
}
@media print {
  :root { color-scheme: light; --ink: #000; --soft: #444; --paper: #fff; --shade: #f3f4f6; --line: #bbb; }
  body { max-width: none; padding: 0; font-size: 10pt; }
  h2, h3 { break-after: avoid; }
  img { max-height: 24cm; }
  img, pre, tr { break-inside: avoid; }
  .wide { overflow: visible; }
}
"""


def self_contained(markdown: str, folder: Path) -> str:
    """The whole HTML page of a report.

    Names of classes, files and settings come from users, so whatever they hold is shown and does nothing: HTML in them
    is text, a link is its text (it would lead nowhere once the file was mailed), and a picture is put in only from
    `folder`. Big pictures are made smaller, so that the page has about 2 MB at most.

    Args:
        markdown: CommonMark with tables.
        folder: where the report lies, which its pictures are named from.
    """
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    parser.add_render_rule("table_open", lambda *_: '<div class="wide"><table>\n')
    parser.add_render_rule("table_close", lambda *_: "</table></div>\n")
    tokens = parser.parse(markdown)
    children = [child for token in tokens for child in token.children or ()]
    pictures = _pictures({_source(child) for child in children if child.type == "image"}, folder)
    for token in tokens:
        token.children = [_inert(child, pictures) for child in token.children or () if child.type not in _LINKS]
    body = parser.renderer.render(tokens, parser.options, {})
    return _page(_title(tokens), body)


def _page(title: str, body: str) -> str:
    return f"""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{escape(title)}</title>
<style>{_STYLE}</style>
</head>
<body>
{body}</body>
</html>
"""


def _title(tokens: Sequence[Token]) -> str:
    """The text of the first heading."""
    return next((inline.content for token, inline in pairwise(tokens) if token.type == "heading_open"), "Report")


def _source(image: Token) -> str:
    return str(image.attrs["src"])


def _inert(token: Token, pictures: Mapping[str, str]) -> Token:
    """The token; a picture has its data in it, and is only its text where there are none."""
    if token.type != "image":
        return token
    if (data := pictures.get(_source(token))) is None:
        return Token("text", "", 0, content=token.content)
    return token.copy(attrs={**token.attrs, "src": data})


def _pictures(sources: Iterable[str], folder: Path) -> dict[str, str]:
    """Source → data URI, of the pictures in the folder."""
    encoded: dict[str, tuple[str, bytes]] = {}
    for width in _WIDTHS:
        encoded = {source: found for source in sources if (found := _encoded(source, folder, width)) is not None}
        if sum(len(data) for _, data in encoded.values()) <= _ENOUGH:
            break
    return {source: f"data:{kind};base64,{b64encode(data).decode()}" for source, (kind, data) in encoded.items()}


def _encoded(source: str, folder: Path, width: int) -> tuple[str, bytes] | None:
    """MIME type and bytes of a picture, at most `width` pixels wide unless it is small; None: there is none."""
    try:
        file = (folder / unquote(source)).resolve(strict=True)
        if not file.is_relative_to(folder.resolve()):
            return None
        with Image.open(file) as picture:
            if picture.format in _TYPES and file.stat().st_size <= _SMALL * (width / _WIDTHS[0]) ** 2:
                return _TYPES[picture.format], file.read_bytes()
            smaller: Any = picture.convert("RGB")
    except (OSError, ValueError, Image.DecompressionBombError):  # no such file, no name of a file, or no picture
        return None
    smaller.thumbnail((width, _HIGHEST), Image.Resampling.LANCZOS)
    data = BytesIO()
    smaller.save(data, "WEBP", quality=80)
    return _TYPES["WEBP"], data.getvalue()
