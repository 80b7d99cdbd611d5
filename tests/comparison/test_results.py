"""Two sides compared: pairs of validations, what differs of settings, data and surroundings, and the report of it."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers.fake_detections import random_set
from ssd.comparison.data import split_change
from ssd.comparison.report import Comparison, as_json, write_comparison
from ssd.comparison.results import Compared, aligned, results
from ssd.comparison.settings import differing, that_matter
from ssd.comparison.surroundings import Surroundings, surroundings
from ssd.comparison.terminal import print_comparison
from ssd.data.annotations import Annotations
from ssd.data.recorded import Labelled, read_annotations, write_annotations
from ssd.data.sample import Dataset
from ssd.errors import UserError
from ssd.evaluation.bootstrap import Difference
from ssd.evaluation.evaluate import evaluate
from ssd.evaluation.record import Judged, read_judged, write_judged
from ssd.inference.detections import Detections
from ssd.runs.files import write_json, write_text

CLASSES = ("a", "b", "c", "d")


def judged(seed: int = 0, images: int = 15) -> Judged:
    detections, annotations = random_set(seed, images)
    return Judged(CLASSES, Annotations.of(annotations), detections, "f" * 64)


def exact(of: Judged) -> Judged:
    """Every object found, with a score of one."""
    found = [Detections(item.boxes, item.labels, np.ones(len(item.labels), np.float32)) for item in of.annotations]
    return replace(of, detections=found, weights="e" * 64)


def test_what_is_recorded_is_read_again(tmp_path: Path) -> None:
    one = judged()
    write_judged(tmp_path / "validation.npz", one)
    again = read_judged(tmp_path / "validation.npz")
    assert (again.class_names, again.weights, list(again.annotations.ids)) == (CLASSES, "f" * 64, one.annotations.ids)
    before, after = (evaluate(item.detections, item.annotations, CLASSES).metrics for item in (one, again))
    assert before == after  # to the last digit
    write_annotations(tmp_path / "annotations.npz", {"val": Dataset("cells:val", CLASSES, one.annotations, bytes)})
    ((split, found),) = read_annotations(tmp_path / "annotations.npz").items()
    assert split_change(split, Labelled(CLASSES, one.annotations), found).same


@pytest.mark.parametrize("damage", [b"", b"no archive", "cut", "bomb"])
def test_a_damaged_record_is_one_sentence(tmp_path: Path, damage: bytes | str) -> None:
    file = tmp_path / "validation.npz"
    write_judged(file, judged())
    content = file.read_bytes()
    if damage == "bomb":
        np.savez_compressed(file, head=np.zeros(10**6))
    else:
        file.write_bytes(content[: len(content) // 2] if damage == "cut" else damage)  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"validation\.npz cannot be read \(.+\); put it back, or take it away"):
        read_judged(file)


def test_labels_out_of_range_are_refused(tmp_path: Path) -> None:
    one = judged()
    wrong = [replace(found, labels=found.labels + 9) for found in one.detections]
    write_judged(tmp_path / "validation.npz", replace(one, detections=wrong))
    with pytest.raises(UserError, match="a label or score that is none"):
        read_judged(tmp_path / "validation.npz")


def test_the_better_one_beats_the_other() -> None:
    one = judged(1, 40)
    found = results([one], [exact(one)], 200)
    expected = evaluate(one.detections, one.annotations, CLASSES).metrics
    assert [item.name for item in found.metrics] == ["mAP", "mAP50", "mAP50_07"]
    for item in found.metrics:
        assert item.a == pytest.approx(expected[item.name])
        assert item.sure
        assert str(item).startswith(f"B beats A by {100 * (item.b - item.a):.1f} ± ")
        assert str(item).endswith(f" {item.name}, p = 0.005")
    assert str(results([exact(one)], [one], 200).metrics[0]).startswith("A beats B by ")
    assert str(results([one], [one], 100).metrics[0]) == "A and B have the same mAP"
    assert str(Compared("mAP50", 0.5, 0.503, Difference(0.003, 0.006, -0.01, 0.01, 0.62))) == (
        "B is 0.3 ± 0.6 mAP50 ahead of A, which may be chance: p = 0.620"
    )


def test_images_and_classes_in_another_order_are_paired() -> None:
    one = judged()
    order = np.random.default_rng(0).permutation(len(one.annotations)).tolist()
    names = ("d", "a", "c", "b")
    labels = np.array([names.index(name) for name in CLASSES], np.int32)
    moved = [one.annotations[place] for place in order]
    other = Judged(
        names,
        Annotations.of([replace(item, labels=labels[item.labels]) for item in moved]),
        [replace(one.detections[place], labels=labels[one.detections[place].labels]) for place in order],
    )
    again = aligned(other, one)
    for mine, theirs in zip(again.detections, one.detections, strict=True):
        np.testing.assert_array_equal(mine.labels, theirs.labels)
        np.testing.assert_array_equal(mine.boxes, theirs.boxes)
    assert str(results([one], [other], 100).metrics[1]) == "A and B have the same mAP50"


def test_what_cannot_be_paired_says_why() -> None:
    one = judged()
    with pytest.raises(UserError, match=r"different images \(1 image gone\); evaluate both on the same"):
        results([one], [replace(one, annotations=Annotations.of(one.annotations[:-1]))], 100)
    with pytest.raises(UserError, match=r"different classes \(a, b, c, d and a, b, c, e\)"):
        results([one], [replace(one, class_names=("a", "b", "c", "e"))], 100)


def test_which_images_and_boxes_differ() -> None:
    one = judged().annotations
    crowded = max(range(len(one)), key=lambda place: len(one[place].labels))
    changed = one[crowded].select(slice(1, None))
    moved = replace(changed, boxes=np.clip(changed.boxes + np.float32(0.01), 0, 1))
    items = [*one]
    items[crowded] = moved
    other = Annotations.of([*items[:-1], replace(items[-1], id="new")])
    change = split_change("val", Labelled(CLASSES, one), Labelled((*CLASSES, "e"), other))
    count = len(one[crowded].labels)
    assert (change.added, change.gone) == (("new",), (one.ids[-1],))
    assert change.changed == {one.ids[crowded]: (count - 1, count)}
    assert str(change) == (
        f"1 image added, 1 image gone, 1 image changed ({count - 1} boxes added, {count} gone), classes added: e"
    )
    renamed = Annotations.of([replace(item, id=f"images/{item.id}") for item in one])
    assert str(split_change("val", Labelled(CLASSES, one), Labelled(CLASSES, renamed))) == (
        f"the same 15 images with {len(one.labels)} objects under other names"
    )


def test_settings_that_change_no_result_are_left_out() -> None:
    both = [{"seed": "0", "a.b": "1", "tracking.uri": "x", "name": "p"}, {"seed": "1", "a.c": "2", "name": "q"}]
    a, b = ([that_matter(values)] for values in both)
    assert differing("setting", a, b) == [
        {"setting": "seed", "A": "0", "B": "1"},
        {"setting": "a.b", "A": "1", "B": "-"},
        {"setting": "a.c", "A": "-", "B": "2"},
    ]
    assert differing("setting", [*a, *b], [*a, *b]) == []  # the same seeds on both sides


def record(folder: Path, **changes: Any) -> Path:
    folder.mkdir(exist_ok=True)
    values = {
        "code": {"digest": "1" * 64, "commit": "c" * 40, "dirty": False},
        "versions": {"keras": "3.1"},
        "machine": {"system": "Linux"},
        "environment": {},
        "precision": "float32",
    }
    write_json(folder / "record.json", values | changes)
    return folder


def test_surroundings(tmp_path: Path) -> None:
    a, same = record(tmp_path / "a"), record(tmp_path / "same")
    assert surroundings([a], [same], tmp_path) == Surroundings((), "the same (commit cccccccccc)", True, "", ())
    code = {"digest": "2" * 64, "commit": "d" * 40, "dirty": True}
    b = record(tmp_path / "b", code=code, versions={"keras": "3.2"}, environment={"TF_X": "1"})
    write_text(b / "code.diff", "diff --git a/ssd/x.py b/ssd/x.py\n+1\n")
    found = surroundings([a], [b], tmp_path)  # whose repository knows neither commit
    assert found.code == "commit cccccccccc → commit dddddddddd with changes, 1 files differ"
    assert "what B had changed" in found.diff
    assert list(found.rows) == [
        {"what": "versions.keras", "A": "3.1", "B": "3.2"},
        {"what": "environment.TF_X", "A": "-", "B": "1"},
    ]
    (tmp_path / "old").mkdir()
    assert surroundings([a], [tmp_path / "old"], tmp_path).same_code is None


def comparison(**changes: Any) -> Comparison:
    one = judged()
    side = Labelled(CLASSES, one.annotations)
    values: dict[str, Any] = {
        "a": (Path("runs/a"),),
        "b": (Path("runs/b"),),
        "settings": ({"setting": "seed", "A": "0", "B": "1"},),
        "around": Surroundings((), "the same (commit 1)", True, "", ({"what": "versions.keras", "A": "1", "B": "2"},)),
        "data": (split_change("val", side, side),),
        "notes": (),
        "same_weights": False,
        "results": results([one], [exact(one)], 100),
    }
    return Comparison(**values | changes)


def test_the_report_and_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = comparison()
    write_comparison(found, tmp_path)
    text = (tmp_path / "report.md").read_text()
    assert "**B beats A by " in text
    assert "| seed | 0 | 1 |" in text
    assert "| versions.keras | 1 | 2 |" in text
    assert (tmp_path / "report.html").read_text().count("data:image/png") == 1
    values = json.loads((tmp_path / "comparison.json").read_text())
    assert values["results"]["metrics"]["mAP"]["larger_than_chance"] is True
    assert values["data"][0]["same"] is True
    print_comparison(found)
    shown = capsys.readouterr().out
    assert "settings: seed 0 → 1\n" in shown
    assert "packages: keras 1 → 2\n" in shown
    assert shown.rstrip().splitlines()[-1].startswith("B beats A by ")


def test_what_cannot_be_compared_is_told_beside_the_rest(tmp_path: Path) -> None:
    found = comparison(results=None, incomparable="they detect different classes")
    write_comparison(found, tmp_path)
    assert "**The results cannot be compared: they detect different classes.**" in (tmp_path / "report.md").read_text()
    assert as_json(found)["results"] is None
    assert not (tmp_path / "plots").exists()
