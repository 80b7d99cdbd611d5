"""docs/configuration.md is what the schemas say."""

import runpy

from ssd.config.schemas import Config, schema_keys
from ssd.environment import ROOT


def test_the_page_is_the_schemas() -> None:
    page = runpy.run_path(str(ROOT / "docs" / "make_configuration.py"))["page"]()
    written = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert written == page, "make it again: python docs/make_configuration.py"


def test_every_key_is_there_with_a_meaning() -> None:
    written = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    rows = {
        line.split("|")[1].strip(" `"): line.split("|")[-2].strip() for line in written.splitlines() if "| `" in line
    }
    sections = {"task", "backbone", "detector", "dataset", "augmentation", "optimizer", "schedule", "training"}
    sections |= {"pipeline", "tracking", "sweep"}
    for key in schema_keys(Config):
        if key not in sections and not key.endswith("._target_"):
            assert rows.get(key), key
