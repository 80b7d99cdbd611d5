"""Links, anchors and names of files in README and docs lead somewhere."""

import re

import pytest

from helpers.markdown import PAGES, anchors, exists, prose
from ssd.environment import ROOT

LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
PATH = re.compile(r"`((?:ssd|conf|docs|tests|benchmarks|sweeps)/[\w./{},*-]*)`")


@pytest.mark.parametrize("page", PAGES)
def test_links_and_anchors(page: str) -> None:
    for target in LINK.findall(prose(page)):
        if re.match(r"https?://|mailto:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (ROOT / page).parent / path if path else ROOT / page
        assert file.exists(), f"{page} links to {target}"
        if anchor:
            assert anchor in anchors(file.read_text(encoding="utf-8")), f"{page} links to {target}"


@pytest.mark.parametrize("page", PAGES)
def test_files_that_are_named_are_there(page: str) -> None:
    for path in PATH.findall(prose(page)):
        if not re.search(r"[A-Z]", path):  # in capitals: to be replaced
            assert exists(path), f"{page} names {path}"


def test_the_index_of_the_docs_has_every_page() -> None:
    index = PAGES["docs/README.md"]
    for page in PAGES:
        if page.startswith("docs/") and page != "docs/README.md":
            assert f"({page.removeprefix('docs/')})" in index, page


def test_the_readme_can_be_read_in_five_minutes() -> None:
    assert len(PAGES["README.md"].splitlines()) <= 120


def test_anchors_are_githubs() -> None:
    assert anchors("# `a.b`: C & D\n\n## Two words\n") == {"ab-c--d", "two-words"}
    assert exists("ssd/{boxes,errors}.py")
    assert not exists("ssd/{boxes,nothing}.py")
