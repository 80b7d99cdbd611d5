"""The project's Markdown files, their code blocks, and what is written about these."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ssd.environment import ROOT

PAGES = {
    str(page.relative_to(ROOT)): page.read_text(encoding="utf-8")
    for page in sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
}

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_UNTESTED = re.compile(r"<!-- not run by a test: (.+?) -->\s*\Z", re.DOTALL)
_TITLE = re.compile(r"`([\w./-]+)`:?\s*\Z")


@dataclass(frozen=True)
class Block:
    """A fenced block of code.

    Attributes:
        page: its file, relative to the project.
        language: sh, yaml, python, ...
        text: what stands between the fences.
        untested: why no test runs it; empty where one must.
        file: the name of the file that it shows, where the line before it ends in one.
    """

    page: str
    language: str
    text: str
    untested: str
    file: str

    @property
    def commands(self) -> list[list[str]]:
        """The commands of a block of shell, split as a shell does, comments left out."""
        lines = self.text.replace("\\\n", " ").splitlines()
        return [words for line in lines if (words := shlex.split(line, comments=True))]


def blocks(language: str | None = None) -> Iterator[Block]:
    """All of them, or those of a language."""
    for page, text in PAGES.items():
        for found in _BLOCK.finditer(text):
            if language in (None, found[1]):
                before = text[: found.start()]
                reason, title = _UNTESTED.search(before), _TITLE.search(before)
                yield Block(page, found[1], found[2], reason[1] if reason else "", title[1] if title else "")


def prose(page: str) -> str:
    """A page without its code blocks."""
    return _BLOCK.sub("", PAGES[page])


def anchors(text: str) -> set[str]:
    """The anchors that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ +(.+?) *$", _BLOCK.sub("", text), re.MULTILINE)
    plain = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading) for heading in headings]
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in plain}


def exists(path: str, base: Path = ROOT) -> bool:
    """Whether something matches a path in which braces and stars may stand for several."""
    if found := re.search(r"\{([^}]*)\}", path):
        return all(exists(path.replace(found[0], part, 1), base) for part in found[1].split(","))
    return any(base.glob(path.rstrip("/")))
